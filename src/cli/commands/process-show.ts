/** `spush process show`: every process of the server with its figures; with --watch again and again until Ctrl-C. */
import { systemClock } from '../../platform/clock/system-clock.js';
import { EXIT, SpushError } from '../../shared/base/errors.js';
import { type CliAction, type CliContext, type GivenOptions, JSON_OPTION, MODE_OPTION } from '../action.js';
import { dateTime } from '../date-time.js';
import { askMaster } from '../master-call.js';
import { processTable, sortedProcesses } from '../process-table.js';
import { modeOf } from '../start-options.js';

const WATCH_SECONDS = 2;
const WATCH_SECONDS_MIN = 0.5;
const WATCH_SECONDS_MAX = 3600;

export const processShow: CliAction = {
  name: 'show',
  doc: 'show all processes, the master included',
  saidAs: ['list', 'ls', 'ps', 'status'],
  options: [
    { name: 'd', kind: 'flag', label: '-d', doc: 'accepted as before; figures always have their units' },
    {
      name: 'watch',
      kind: 'optional',
      label: '--watch[=SECONDS]',
      doc: `show again every ${WATCH_SECONDS} s, or as often as said, until Ctrl-C`,
    },
    MODE_OPTION,
    JSON_OPTION,
  ],
  run: async (context, options) => {
    const seconds = watchSeconds(options);
    await show(context, options, seconds);
    if (seconds === null) return EXIT.done;
    while (await context.person.waitUnlessInterrupted(seconds * 1000)) await show(context, options, seconds);
    return EXIT.done;
  },
};

/** Null: once only. */
function watchSeconds(options: GivenOptions): number | null {
  const given = options.value('watch');
  if (given === undefined) return options.flag('watch') ? WATCH_SECONDS : null;
  const seconds = given.trim() === '' ? Number.NaN : Number(given);
  if (seconds >= WATCH_SECONDS_MIN && seconds <= WATCH_SECONDS_MAX) return seconds;
  throw new SpushError(
    'USAGE',
    `--watch=${given}: expected seconds from ${WATCH_SECONDS_MIN} to ${WATCH_SECONDS_MAX}`,
  );
}

async function show(context: CliContext, options: GivenOptions, seconds: number | null): Promise<void> {
  const { terminal } = context;
  const mode = modeOf(options);
  const { processes } = await askMaster(context, options, 'process.show', {});
  const sorted = sortedProcesses(processes, mode);
  if (options.flag('json')) {
    terminal.printJson({ processes: sorted });
    return;
  }
  const now = new Date(systemClock.now());
  const table = processTable(sorted, { mode, width: terminal.width, now });
  if (seconds !== null && terminal.isTerminal) terminal.clear();
  if (seconds !== null) terminal.print(`${dateTime(now)}, every ${seconds} s, Ctrl-C ends`);
  terminal.print(table);
}
