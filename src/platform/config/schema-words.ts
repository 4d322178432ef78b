/**
 * A schema in words: what a key takes, for the text of a fault and for the documentation. Works on the JSON Schema that
 * zod makes of our declarations, so that the words cannot differ from the check.
 */

/** The part of JSON Schema that our declarations lead to. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly format?: string;
  /** What our declaration says itself, where the rest says too little. */
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
}

/** Kinds of value; `json` is a list or an object, written as JSON in the environment. */
export type ValueKind = 'string' | 'number' | 'boolean' | 'null' | 'json' | 'function';

export function kindsOf(schema: JsonSchema): ReadonlySet<ValueKind> {
  return new Set(alternatives(schema).map(kindOf));
}

export function inWords(schema: JsonSchema): string {
  return [...new Set(alternatives(schema).map(oneInWords))].join(' or ');
}

/** The schema of a part of a value; the whole one when the path leads nowhere. */
export function partAt(schema: JsonSchema, path: readonly PropertyKey[]): JsonSchema {
  let part = schema;
  for (const step of path) {
    const below = alternatives(part)
      .map((one) => stepInto(one, step))
      .find((found) => found !== undefined);
    if (below === undefined) return schema;
    part = below;
  }
  return part;
}

function stepInto(schema: JsonSchema, step: PropertyKey): JsonSchema | undefined {
  if (typeof step === 'number') return schema.items;
  const { additionalProperties } = schema;
  return (
    schema.properties?.[String(step)] ??
    (typeof additionalProperties === 'object' ? additionalProperties : undefined)
  );
}

/** `anyOf` and `type: [a, b]` say the same; here both become a list. */
function alternatives(schema: JsonSchema): JsonSchema[] {
  if (schema.anyOf) return schema.anyOf.flatMap(alternatives);
  if (typeof schema.type === 'object') return schema.type.map((type) => ({ ...schema, type }));
  return [schema];
}

function kindOf({ type }: JsonSchema): ValueKind {
  switch (type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
    case 'null':
    case 'string':
      return type;
    default:
      return 'json';
  }
}

function oneInWords(schema: JsonSchema): string {
  if (schema.description !== undefined) return schema.description;
  if (schema.enum) return `one of ${schema.enum.join(', ')}`;
  switch (schema.type) {
    case 'integer':
      return `a whole number${range(schema)}`;
    case 'number':
      return `a number${range(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return textInWords(schema);
    case 'array':
      return `a list, each ${inWords(schema.items ?? {})}`;
    case 'object':
      return objectInWords(schema);
    default:
      return typeof schema.type === 'string' ? schema.type : 'a value';
  }
}

function objectInWords({ properties, additionalProperties }: JsonSchema): string {
  if (properties) {
    const parts = Object.entries(properties).map(([name, value]) => `${name}: ${inWords(value)}`);
    return `{ ${parts.join('; ')} }`;
  }
  return typeof additionalProperties === 'object'
    ? `{ any name: ${inWords(additionalProperties)} }`
    : 'an object';
}

/** Bounds that only say "a safe integer" are no news. */
function range({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  const top = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  const low = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  if (exclusiveMinimum !== undefined) {
    return ` above ${exclusiveMinimum}${top === undefined ? '' : ` and up to ${top}`}`;
  }
  if (low !== undefined && top !== undefined) return ` from ${low} to ${top}`;
  if (low !== undefined) return `, ${low} or more`;
  return top === undefined ? '' : `, ${top} or less`;
}

function textInWords({ format, minLength, maxLength }: JsonSchema): string {
  switch (format) {
    case 'ipv4':
    case 'ipv6':
      return 'an IP address';
    case 'cidrv4':
    case 'cidrv6':
      return 'an address range such as 10.0.0.0/8';
    case 'uri':
      return 'an http or https address';
    default:
      if (maxLength !== undefined) return `a text of ${minLength ?? 0} to ${maxLength} characters`;
      if (minLength !== undefined && minLength > 1) return `a text of ${minLength} or more characters`;
      return minLength === undefined || minLength === 0 ? 'a text' : 'a text that is not empty';
  }
}
