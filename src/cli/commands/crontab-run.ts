/** `spush crontab run`: fires a job now, whatever its rule says and even when it is stopped. */
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { configuredSeconds } from '../configured-seconds.js';
import { printJobs } from '../crontab-table.js';
import { jobNameOf, NAME_OPTION } from '../job-options.js';
import { askMaster, callMaster, targetOf } from '../master-call.js';
import { progressOf } from '../progress.js';

export const crontabRun: CliAction = {
  name: 'run',
  doc: 'run a job now',
  options: [
    NAME_OPTION,
    { name: 'wait', kind: 'flag', label: '--wait', doc: 'wait for its end and print its result' },
    MODE_OPTION,
    JSON_OPTION,
  ],
  run: async (context, options) => {
    const { terminal, patience } = context;
    const name = jobNameOf(options, 'run');
    const target = targetOf(context, options);
    const wait = options.flag('wait') === true;
    const deadlineMs = wait
      ? (await configuredSeconds(context, target.mode, 'TaskSeconds')) * 1000 + patience.spareMs
      : patience.answerMs;
    const tell = progressOf(context, options);
    await askMaster(context, options, 'ping', {});
    const data = await callMaster(
      target,
      'crontab.run',
      { name, wait },
      { deadlineMs, onEvent: (event) => tell(event.text) },
    );
    if (options.flag('json')) {
      terminal.printJson(data);
      return EXIT.done;
    }
    terminal.print(terminal.paint('green', `crontab: ${data.name} run success`));
    if (wait) terminal.print(`result: ${JSON.stringify(data.result) ?? '-'} in ${data.durationMs} ms`);
    printJobs(context, options, await askMaster(context, options, 'crontab.show', {}));
    return EXIT.done;
  },
};
