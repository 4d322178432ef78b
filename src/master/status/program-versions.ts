/**
 * Which process runs which version of the program. A new version on the disk reaches a process when it is started: a reload
 * brings it to the Workers, and to the others when they are replaced; to the master only a restart.
 */
import type { Troubles } from '../../platform/health/troubles.js';
import type { ProgramVersion } from '../../shared/protocol/control-commands.js';
import type { Child } from '../supervisor/child.js';

export interface ProgramVersionsDeps {
  readonly mode: string;
  /** The master's. */
  readonly version: string;
  readonly children: () => readonly Pick<Child, 'name' | 'version' | 'readySince'>[];
  readonly troubles: Pick<Troubles, 'begin' | 'end'>;
}

export class ProgramVersions {
  readonly #deps: ProgramVersionsDeps;
  #told: string | null = null;

  constructor(deps: ProgramVersionsDeps) {
    this.#deps = deps;
  }

  /** The master's. */
  get own(): string {
    return this.#deps.version;
  }

  /** The master's first; each with the names of its processes. */
  list(): ProgramVersion[] {
    const { mode, version, children } = this.#deps;
    const prefix = `spush.${mode}.`;
    const byVersion = new Map<string | null, string[]>([[version, ['Master']]]);
    for (const child of children()) {
      if (child.readySince === null) continue;
      const name = child.name.startsWith(prefix) ? child.name.slice(prefix.length) : child.name;
      const names = byVersion.get(child.version);
      if (names === undefined) byVersion.set(child.version, [name]);
      else if (!names.includes(name)) names.push(name);
    }
    return [...byVersion].map(([each, processes]) => ({ version: each, processes }));
  }

  /** A process has come or gone. */
  look(): void {
    const list = this.list();
    const text = list.length === 1 ? null : differText(list);
    if (text === this.#told) return;
    if (text === null) this.#deps.troubles.end('versions');
    else this.#deps.troubles.begin('versions', text, this.#told === null ? 1 : 0);
    this.#told = text;
  }
}

function differText(list: readonly ProgramVersion[]): string {
  const parts = list.map(({ version, processes }) => `${version ?? 'unknown'}: ${processes.join(', ')}`);
  return `the processes run different versions of the program (${parts.join('; ')}); spush server restart starts all of them from the one on the disk`;
}
