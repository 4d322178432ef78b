/** What `config show` and `config check` say of the running server: lines for a person, the same facts for a script. */
import type { ConfigRow } from '../platform/config/describe-config.js';
import type { ControlData } from '../shared/protocol/control-commands.js';
import { nameChangesText } from '../shared/protocol/name-changes.js';
import { type Difference, differenceOf } from './config-differences.js';
import { isSameFolder } from './folders.js';
import type { RunningConfig } from './running-config.js';
import type { Terminal } from './terminal.js';

/** All keys are always there. */
export interface RunningFacts {
  readonly state: RunningConfig['state'];
  readonly pid: number | null;
  readonly version: string | null;
  readonly env: number | null;
  /** The folder of its files. */
  readonly root: string | null;
  /** Why it could not be asked. */
  readonly reason: string | null;
  /** Why nothing is said of what a reload would read. */
  readonly fault: ControlData<'config.show'>['fault'];
  /** Own jobs and tasks of bootstrap.ts that a reload would bring; null: none. */
  readonly hooks: ControlData<'config.show'>['hooks'];
  readonly differences: readonly Difference[];
}

/** @param here the keys of this shell; those of its variables alone when its configuration is faulty */
export function runningFacts(running: RunningConfig, here: readonly ConfigRow[]): RunningFacts {
  const nothing = { pid: null, version: null, env: null, root: null, reason: null, fault: null, hooks: null };
  if (running.state === 'notRunning') return { state: running.state, ...nothing, differences: [] };
  if (running.state === 'noAnswer') {
    return { state: running.state, ...nothing, reason: running.reason, differences: [] };
  }
  const { state, pid, version, env, root, fault, hooks, keys } = running;
  const rows = new Map(here.map((row) => [row.key, row]));
  const differences = keys.flatMap((key) => differenceOf(key, rows.get(key.key) ?? null, root) ?? []);
  return { state, pid, version, env, root, reason: null, fault, hooks, differences };
}

/**
 * @param root the folder of this shell's files
 * @param told faults that the person has read already
 */
export function printRunning(
  { terminal }: { readonly terminal: Pick<Terminal, 'print' | 'paint'> },
  facts: RunningFacts,
  {
    mode,
    root,
    told = null,
  }: { readonly mode: string; readonly root: string | null; readonly told?: string | null },
): void {
  const warn = (text: string): void => terminal.print(terminal.paint('red', `warning: ${text}`));
  const { state, pid, differences, fault, hooks } = facts;
  if (state === 'notRunning') return;
  if (state === 'noAnswer') {
    warn(`the running server could not be asked: ${facts.reason}`);
    return;
  }
  const server = `the running server (mode ${mode}, pid ${pid})`;
  if (root !== null && facts.root !== null && !isSameFolder(facts.root, root))
    warn(`${server} has its files in ${facts.root}, this shell in ${root}`);
  if (fault !== null && fault.text === told) warn(`${server} would refuse a reload for the same faults`);
  else if (fault !== null) warn(faultText(server, fault));
  if (hooks !== null) {
    const { jobs, tasks } = hooks;
    warn(
      `own jobs and tasks of bootstrap.ts do not count in ${server} yet: jobs: ${nameChangesText(jobs)}; tasks: ${nameChangesText(tasks)}: needs spush server reload`,
    );
  }
  if (differences.length === 0) {
    terminal.print(
      `${server} has the same${hooks === null ? '' : ' keys'}${fault === null ? '' : ', as far as can be told'}`,
    );
    return;
  }
  terminal.print(terminal.paint('brown', `${server} has:`));
  for (const { key, text } of differences) terminal.print(`  ${key}: ${text}`);
}

function faultText(server: string, { kind, text }: NonNullable<RunningFacts['fault']>): string {
  return kind === 'refused'
    ? `${server} would refuse a reload: ${text}`
    : `what a reload of ${server} would read is not known: ${text}`;
}
