/**
 * `config.show`: the configuration that counts now, key by key: its value, where that came from, whether the caller has the
 * same, and what a reload or a restart of this server would read instead. Secrets are masked; the caller's values come as
 * digests.
 */
import { findKey } from '../../../platform/config/config-keys.js';
import { sourceText } from '../../../platform/config/config-source.js';
import { hasHookChanges, hookChanges, hookRows } from '../../../platform/config/hook-changes.js';
import {
  type KeyReading,
  type KeyReadings,
  readingsOf,
  type SourcedConfig,
} from '../../../platform/config/key-readings.js';
import type { LoadedConfig } from '../../../platform/config/load-config.js';
import type { ReadAgain } from '../../../platform/config/read-again.js';
import { newNonce } from '../../../platform/config/value-digest.js';
import type { ReadKey, RunningKey } from '../../../shared/protocol/control-commands.js';
import type { LiveState } from '../../live-config.js';
import type { ControlHandler } from '../control-handlers.js';

export interface ConfigShowDeps {
  readonly version: string;
  readonly live: { readonly state: LiveState };
  /** Reads the files as a reload would, and changes nothing. */
  readonly readAgain: () => Promise<ReadAgain>;
}

export function configShow({ version, live, readAgain }: ConfigShowDeps): ControlHandler<'config.show'> {
  /** Several who ask at once share one reading. */
  let reading: Promise<ReadAgain> | null = null;
  const readOnce = (): Promise<ReadAgain> => {
    reading ??= readAgain().finally(() => {
      reading = null;
    });
    return reading;
  };
  return async ({ nonce: callersNonce, digests }) => {
    const again = await readOnce();
    const { state } = live;
    const nonce = callersNonce ?? newNonce();
    const running = readingsOf(state, nonce);
    const read = again.ok ? readingsOf(asRead(again.loaded), nonce) : null;
    const inFiles = readingsOf(again.ok ? again.loaded.inFiles : state.loaded.inFiles, nonce);
    return {
      pid: process.pid,
      version,
      env: state.config.env,
      root: state.config.paths.root,
      keys: [...running].map(([key, reading]) => ({
        ...keyRow(key, reading),
        same: callersNonce === undefined ? null : sameForCaller(reading.digest, digests[key]),
        next: read === null ? null : other(read, key, reading),
        inFiles: other(inFiles, key, reading),
      })),
      hooks: again.ok ? hooksToCome(state.loaded, again.loaded) : null,
      fault: again.ok ? null : again.fault,
    };
  };
}

function hooksToCome(before: LoadedConfig, after: LoadedConfig): ReturnType<typeof hookRows> | null {
  const changes = hookChanges(before.hooks, after.hooks);
  return hasHookChanges(changes) ? hookRows(changes) : null;
}

function keyRow(
  key: string,
  { shown, source }: KeyReading,
): Pick<RunningKey, 'key' | 'value' | 'source' | 'from' | 'apply'> {
  const apply = findKey(key)?.meta.apply ?? 'restart';
  return { key, value: shown, source: sourceText(source), from: source.kind, apply };
}

/** Null: the caller said nothing of this key. */
function sameForCaller(digest: string, callers: string | undefined): boolean | null {
  return callers === undefined ? null : digest === callers;
}

/** A reload stays in its PUSHENV; what a start would take is what the files say by now. */
function asRead({ config, sources, pushEnv }: LoadedConfig): SourcedConfig {
  return { sources, config: { ...config, env: pushEnv } };
}

/** Null where it is the value that counts. */
function other(readings: KeyReadings, key: string, running: KeyReading): ReadKey | null {
  const found = readings.get(key);
  if (found === undefined || found.digest === running.digest) return null;
  return { value: found.shown, source: sourceText(found.source), from: found.source.kind };
}
