/**
 * `spush config check`: whether a start from this shell would accept the configuration, all faults at once, exit 78; and
 * where a server runs, whether it would accept a reload, and in which keys it differs.
 */
import { descriptorLimit, descriptorShortage } from '../../platform/limits/descriptors.js';
import { EXIT, type SpushError } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION } from '../action.js';
import { environmentWarning } from '../agree-to-environment.js';
import { envText } from '../env-text.js';
import { loadHere } from '../load-here.js';
import { askRunningConfig } from '../running-config.js';
import { printRunning, type RunningFacts, runningFacts } from '../running-report.js';
import { loadOptionsOf, modeOf, START_OPTIONS } from '../start-options.js';
import type { Paint, Terminal } from '../terminal.js';

export const configCheck: CliAction = {
  name: 'check',
  doc: 'check the configuration without starting anything; say where the running server differs from it',
  saidAs: ['test', 'validate', 'verify'],
  options: [...START_OPTIONS, JSON_OPTION],
  run: async (context, options) => {
    const { terminal } = context;
    const json = options.flag('json') === true;
    const mode = modeOf(options);
    const here = await loadHere(loadOptionsOf(context, options));
    const running = runningFacts(await askRunningConfig(context, options, here.digests), here.rows);
    if (here.fault !== null) {
      // For a script the faults are the result.
      const { code, message, exitCode, detail } = here.fault;
      if (json) terminal.printJson({ ok: false, ...detail, error: { code, message, exitCode }, running });
      else printFaults(terminal, here.fault, { running, mode });
      return exitCode;
    }
    const { config, filesRead } = here.loaded;
    const shortage = descriptorShortage(config, descriptorLimit());
    const environment = await environmentWarning(context, here.loaded);
    const warnings = [
      ...(shortage === null ? [] : [`started from this shell, ${shortage}`]),
      ...(environment === null ? [] : [environment]),
    ];
    if (json) {
      terminal.printJson({ ok: true, env: config.env, filesRead, warnings, running });
      return EXIT.done;
    }
    const files = filesRead.length === 0 ? ['no file was found: all defaults'] : filesRead;
    const head = `the configuration is right for PUSHENV ${envText(config.env)}`;
    terminal.print(terminal.paint('green', head));
    for (const file of files) terminal.print(`  ${file}`);
    for (const warning of warnings) terminal.print(terminal.paint('red', `warning: ${warning}`));
    printRunning(context, running, { mode, root: config.paths.root });
    return EXIT.done;
  },
};

/** Faults are no result: all that is said beside them goes where they go. */
function printFaults(
  terminal: Terminal,
  { message }: SpushError,
  { running, mode }: { readonly running: RunningFacts; readonly mode: string },
): void {
  const print = (text: string): void => terminal.printError(text);
  const paint: Paint = (_colour, text) => text;
  print(message);
  printRunning({ terminal: { print, paint } }, running, { mode, root: null, told: message });
  if (running.state === 'answered' && running.fault === null) {
    print('with the environment of its start the same files are right: it would accept a reload');
  }
}
