/**
 * A fault of the configuration, in the words of the person who has to mend it: where (file and line, variable or
 * option), which key, what is wrong with which value, what is expected. All faults are collected and thrown as one
 * error. Values of secret keys are never shown, nor are the texts of errors about them.
 */
import { inspect } from 'node:util';
import type { z } from 'zod';
import { SpushError } from '../../shared/base/errors.js';
import { clipped } from '../../shared/base/well-formed.js';
import { withoutSecrets } from './address-text.js';
import type { ConfigKey } from './config-keys.js';

export interface ConfigFault {
  /** `/srv/spush/conf/SystemConf.ts`, with `:line` where known; `SPUSH_PORT`; `command line`. */
  readonly where: string;
  /** Path of the key, e.g. `gzcp.verifyUrl` or `TrustedProxies[1]`; null when the fault is of the whole file. */
  readonly key: string | null;
  /** `is "abc"`, `is not known. Did you mean Port?` */
  readonly problem: string;
  /** `a whole number from 0 to 65535 (bytes)`; null where the problem says it all. */
  readonly expected: string | null;
}

export function faultText({ where, key, problem, expected }: ConfigFault): string {
  const what = key === null ? problem : `${key} ${problem}`;
  return `${where}: ${what}${expected === null ? '' : `; expected ${expected}`}`;
}

export function configInvalid(faults: readonly ConfigFault[]): SpushError {
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  const lines = faults.map((fault) => `  ${faultText(fault)}`);
  return new SpushError('CONFIG_INVALID', [`the configuration has ${count}:`, ...lines].join('\n'), {
    detail: { faults },
  });
}

/** Checks one value of one key; the parsed value, or its faults. */
export function parseValue(
  key: ConfigKey,
  value: unknown,
  where: string,
): { readonly value: unknown } | { readonly faults: readonly ConfigFault[] } {
  const result = key.schema.safeParse(value);
  if (result.success) return { value: result.data };
  const { issues } = result.error;
  const faults = issues.slice(0, SHOWN_FAULTS).flatMap((issue) => toFaults(key, value, where, issue));
  const more = issues.length - SHOWN_FAULTS;
  if (more <= 0) return { faults };
  const rest = {
    where,
    key: key.path,
    problem: `has ${more} more faults`,
    expected: expectedOf(key),
  };
  return { faults: [...faults, rest] };
}

/** Of one value: who has a list of thousands that is wrong sees what is wrong, and the answer stays one that can be sent. */
const SHOWN_FAULTS = 20;

export function expectedOf({ expected, meta }: ConfigKey, path: readonly PropertyKey[] = []): string {
  return meta.unit === undefined ? expected(path) : `${expected(path)} (${meta.unit})`;
}

function toFaults(key: ConfigKey, value: unknown, where: string, issue: z.core.$ZodIssue): ConfigFault[] {
  const { path, issue: deep } = deepest(issue);
  const expected = deep.code === 'custom' ? deep.message : expectedOf(key, path);
  const keyPath = `${key.path}${path.map(pathPart).join('')}`;
  if (deep.code === 'unrecognized_keys') {
    return [
      { where, key: keyPath, problem: `has a part that is not known: ${deep.keys.join(', ')}`, expected },
    ];
  }
  return [{ where, key: keyPath, problem: shown(key, at(value, path)), expected }];
}

/** A union says only that nothing fits; the branch that came furthest knows which part does not. */
function deepest(issue: z.core.$ZodIssue): { path: PropertyKey[]; issue: z.core.$ZodIssue } {
  const here = { path: [...issue.path], issue };
  if (issue.code !== 'invalid_union') return here;
  const below = issue.errors
    .flatMap((branch) => branch.slice(0, 1))
    .map(deepest)
    .map((found) => ({ path: [...issue.path, ...found.path], issue: found.issue }));
  return below.reduce((best, next) => (next.path.length > best.path.length ? next : best), here);
}

function pathPart(part: PropertyKey): string {
  return typeof part === 'number' ? `[${part}]` : `.${String(part)}`;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, part) =>
      typeof inner === 'object' && inner !== null
        ? (inner as Record<PropertyKey, unknown>)[part as string]
        : undefined,
    value,
  );
}

const SHOWN_MAX = 120;

function shown(key: ConfigKey, value: unknown): string {
  if (value === undefined) return 'is missing';
  if (key.meta.secret) return value === '' ? 'is empty' : 'is not right (a secret, so not shown)';
  return `is ${valueText(key.meta.address && typeof value === 'string' ? withoutSecrets(value) : value)}`;
}

/** A value on one short line. */
export function valueText(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  // JSON has no NaN and no number of 400 digits, and would say null.
  if (typeof value === 'number') return String(value);
  return clipped(
    jsonText(value) ?? inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY }),
    SHOWN_MAX,
  );
}

/** Undefined: JSON has no form of it, as of 10n, or of what holds itself. */
export function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
