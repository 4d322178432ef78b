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
} else {
  const root = require('node:path').dirname(__dirname);
  const refuse = (text) => {
    process.stderr.write(`${text}\n`);
    process.exitCode = 1;
  };
  const isInstalled = () => {
    try {
      return require.resolve('esbuild') !== '';
    } catch (_error) {
      return false; // its packages are missing, and most likely all others too
    }
  };
  const main = () => {
    const { constants, accessSync, readFileSync } = require('node:fs');
    const file = `${root}/dist/${readFileSync(`${root}/dist/current`, 'utf8').trim()}/main.js`;
    accessSync(file, constants.R_OK);
    return require('node:url').pathToFileURL(file).href;
  };
  const tell = (error) => {
    if (error.code === 'EACCES') refuse(`spush cannot be read by this user: ${error.message}`);
    else if (error.code === 'EMFILE' || error.code === 'ENFILE') {
      refuse(`spush cannot be loaded: ${error.message}; raise ulimit -n`);
    } else if (error.code === 'ERR_MODULE_NOT_FOUND') {
      refuse(`spush is not installed as a whole: ${error.message}; run \`npm ci --omit=dev\` in ${root}`);
    } else throw error;
  };
  let program = null;
  try {
    program = main();
  } catch (error) {
    if (error.code === 'EACCES') tell(error);
    else if (isInstalled()) refuse(`spush is not built: run \`npm run build\` in ${root}`);
    else refuse(`spush is not installed: run \`npm ci --omit=dev\` in ${root}, which builds it too`);
  }
  if (program !== null) import(program).catch(tell);
}
