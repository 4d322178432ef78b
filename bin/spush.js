#!/usr/bin/env node
'use strict';
// Checks the version of Node and loads the built program. It must parse on every Node from 12 on, or an old one would
// answer with a syntax error; so: a script of ES2015 (the package.json beside it says so) but for the import() at its
// end, which old ones parse and never reach. `node:` names are for the new ones too.
// Everybody on the machine can read a command line, and a value of --set may be a secret: it is taken out of there first.
if (process.argv.some((word) => /^-+set(=|$)/.test(word))) process.title = 'spush';

const found = process.versions.node;
const parts = found.split('.').map(Number);

if (parts[0] < 20 || (parts[0] === 20 && parts[1] < 19)) {
  process.stderr.write(`spush needs Node 20.19 or newer; this is Node ${found} (${process.execPath})\n`);
  process.exitCode = 1;
} else if (!require('node:fs').existsSync(`${__dirname}/../dist/main.js`)) {
  const root = require('node:path').dirname(__dirname);
  process.stderr.write(`spush is not built: run \`npm run build\` in ${root}\n`);
  process.exitCode = 1;
} else {
  import('../dist/main.js');
}
