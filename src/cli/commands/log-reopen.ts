/** `spush log reopen`: for logrotate, after it has moved the log away. No pid is read and no signal sent. */
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { askMaster } from '../master-call.js';

export const logReopen: CliAction = {
  name: 'reopen',
  doc: 'open the log file anew in every process, after it was moved away',
  saidAs: ['rotate', 'reload'],
  options: [MODE_OPTION, JSON_OPTION],
  run: async (context, options) => {
    const { terminal } = context;
    const { processes } = await askMaster(context, options, 'log.reopen', {});
    if (options.flag('json')) terminal.printJson({ processes });
    else terminal.print(`the log is opened anew by ${processes} processes`);
    return EXIT.done;
  },
};
