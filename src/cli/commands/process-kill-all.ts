/** `spush process killAll`: ends all processes but the master. A person is asked first; a script is not. */
import { SpushError } from '../../shared/base/errors.js';
import { type CliAction, FORCE_OPTION, JSON_OPTION, MODE_OPTION } from '../action.js';
import { killProcesses } from '../killed-processes.js';
import { askMaster } from '../master-call.js';
import { agrees } from '../person.js';
import { modeOf } from '../start-options.js';

export const processKillAll: CliAction = {
  name: 'killAll',
  doc: 'end all processes but the master; new ones take their places',
  options: [
    FORCE_OPTION,
    { name: 'yes', kind: 'flag', label: '--yes', doc: 'do not ask', aliases: ['y'] },
    MODE_OPTION,
    JSON_OPTION,
  ],
  run: async (context, options) => {
    const { person } = context;
    const force = options.flag('f') === true;
    if (person.present && !options.flag('yes')) {
      // Nobody should have to answer a question about what does not run.
      await askMaster(context, options, 'ping', {});
      const what = force ? 'Kill' : 'Replace';
      if (!(await agrees(person, `${what} all processes of mode ${modeOf(options)}?`))) {
        throw new SpushError('CANCELLED', 'nothing was killed');
      }
    }
    return killProcesses(context, options, { args: { all: true, force }, which: 'only the master runs' });
  },
};
