/** `spush crontab run`: fires a job now, whatever its rule says and even when it is stopped. */
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { printJobs } from '../crontab-table.js';
import { explainJobWords, jobNameOf, NAME_OPTION } from '../job-options.js';
import { askMaster, callMaster, targetOf } from '../master-call.js';
import { progressOf } from '../progress.js';
import { runningMs } from '../running-seconds.js';

export const crontabRun: CliAction = {
  name: 'run',
  doc: 'run a job now',
  options: [
    NAME_OPTION,
    { name: 'wait', kind: 'flag', label: '--wait', doc: 'wait for its end and print its result' },
    MODE_OPTION,
    JSON_OPTION,
  ],
  explainWords: explainJobWords('run'),
  run: async (context, options) => {
    const { terminal, patience } = context;
    const name = jobNameOf(options, 'run');
    const target = targetOf(context, options);
    const wait = options.flag('wait') === true;
    const tell = progressOf(context, options);
    const pong = await askMaster(context, options, 'ping', {});
    const deadlineMs = wait
      ? (await runningMs(context, target.mode, pong, 'TaskSeconds')) + patience.spareMs
      : patience.answerMs;
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
    if (!wait) terminal.print(`${data.name} has started; --wait tells how it ends`);
    return EXIT.done;
  },
};
