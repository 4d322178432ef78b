/** A master in the background: what it is started with is told over the channel by the command that waits for it. */
import { loadConfig } from '../platform/config/load-config.js';
import { presentFolder } from '../platform/config/present-folder.js';
import { type StartReport, startOrderSchema } from '../platform/instance/start-report.js';
import { packageVersion } from '../platform/program/package-version.js';
import { EXIT, errorText, isSpushError } from '../shared/base/errors.js';
import { exitSoon } from './exit-soon.js';
import { runMaster } from './run-master.js';

/** Reports once to the command that waits, then goes on without it. */
export async function runInBackground(): Promise<void> {
  const report = (message: StartReport) =>
    new Promise<void>((resolve) => {
      if (!process.connected) return resolve();
      // The waiting command may end at any moment; the report is not needed then.
      process.send?.(message, () => resolve());
    });
  let ready = false;
  process.once('disconnect', () => {
    // The command that started this server was interrupted before it could tell its pid: the server ends too.
    if (!ready) process.kill(process.pid, 'SIGTERM');
  });
  try {
    const order = startOrderSchema.parse(await firstMessage());
    const { mode, settings } = order;
    const loadOptions = { cwd: presentFolder(), env: process.env, mode, settings };
    const loaded = await loadConfig(loadOptions);
    const exitCode = await runMaster({
      ...loaded,
      loadOptions,
      // The file has it all; standard output is the same file, for what the runtime itself says at a bad end.
      console: 'none',
      version: packageVersion(),
      launchPath: order.launchPath,
      onReady: (info) => {
        ready = true;
        void report({ t: 'ready', ...info, warnings: [...info.warnings] }).then(() => {
          if (process.connected) process.disconnect();
        });
      },
    });
    exitSoon(exitCode);
  } catch (error) {
    const expected = isSpushError(error);
    if (!expected) console.error(error);
    const exitCode = expected ? error.exitCode : EXIT.failed;
    if (!ready) {
      ready = true;
      await report({
        t: 'failed',
        code: expected ? error.code : 'INTERNAL',
        message: errorText(error),
        exitCode,
      });
    } else if (expected) {
      console.error(error.message);
    }
    exitSoon(exitCode);
  }
}

function firstMessage(): Promise<unknown> {
  return new Promise((resolve) => process.once('message', resolve));
}
