/** The words around the tables of docs/CONFIG.md. */
import type { ConfigFile } from '../../src/platform/config/config-schema.js';

export const BEFORE = `# Configuration

Every key of spush. This page is made from the declarations in \`src/platform/config/config-schema.ts\`; a test holds it to
them, and \`SPUSH_TEST_UPDATE=1 npx vitest run --config test/vitest.config.ts --root . test/unit/docs/config-doc.test.ts\`
writes it anew.

- \`spush config show\` prints every key with the value that a start from this shell would have and where it came from, and
  where the running server differs and why; with a KEY that key, or those that begin so. Secrets are masked.
- \`spush config check\` says whether a start from this shell would accept the files: all faults at once, with file and key,
  exit code 78; and whether the running server would accept a reload.
- \`spush config set KEY VALUE\` changes a live key of the running server, on the whole node, until the next reload.

## Where a value comes from

Later wins: default, \`conf/SystemConf.ts\`, \`conf/Test/\` or \`conf/Online/\`, environment, command line
(\`--set KEY=VALUE\`). A later one replaces the whole value: a list is not joined to the list before it. Every value is
checked, also one that a later one replaces.

A **live** key takes effect with \`spush server reload\` or \`spush config set\`, without a new process. A **restart** key
takes effect with \`spush server restart\`; a reload names those that have changed as not applied. A reload that finds a
fault changes nothing.

In the environment numbers and \`true\`/\`false\` are written as they are, lists and objects as JSON, and \`null\` where a
key takes it. A variable whose name is almost that of a key is refused, so that a slip of the pen is not a default.

## What is not in a file of conf/

| name | what it is |
|---|---|
| \`PUSHENV\` | in \`bootstrap.ts\` or the environment, which wins: 0 local (nothing to install), 1 Test, 2 Online. Restart. |
| \`SPUSH_ROOT\` | the folder with \`bootstrap.ts\` and \`conf/\`. Without it: the nearest folder upward from the present one that has a \`bootstrap.ts\`, else the package's own |
| \`SPUSH_HOME\` | the folder for \`Temp/\`, \`Log/\` and \`Data/\`. Without it: SPUSH_ROOT |
| \`SPUSH_LOG\` | the folder for the logs, in place of \`Log/\` in SPUSH_HOME: \`/var/log/spush\`, for example |
| \`-mode=NAME\` | on the command line: the name of the instance, \`websocket\` without it. Pid file, control socket, log and store carry it |
| \`NO_COLOR\` | if set, nothing is printed in colour |
| \`NOTIFY_SOCKET\`, \`WATCHDOG_USEC\`, \`WATCHDOG_PID\` | set by systemd, see [OPERATIONS.md](OPERATIONS.md#systemd) |
`;

export const FILE_WORDS: Readonly<Record<ConfigFile, string>> = {
  system: `## conf/SystemConf.ts

The limits of this server, the same in every environment.
`,
  db: `## conf/Test/db.ts, conf/Online/db.ts

In PUSHENV 0 the store is a file and only \`db.file\` counts.
`,
  redis: `## conf/Test/redis.ts, conf/Online/redis.ts

Not read in PUSHENV 0, where news goes through the master.
`,
  gzcp: `## conf/Test/gzcp.ts, conf/Online/gzcp.ts

How the main site is asked whose key it is.
`,
  api: `## conf/Test/api.ts, conf/Online/api.ts

Who may call the HTTP API, and which pages may connect.
`,
};

export const AFTER = `## Live keys

LIVE_KEYS.
`;
