/** Pieces of the OpenAPI document that every path uses: schemas out of zod, answers, faults, the signature. */
import * as z from 'zod';
import { FIELDS_V1, FIELDS_V2, SIGNATURE_HEADERS, TOLERANCE_SECONDS } from '../../platform/auth/signature.js';
import { faultDataSchema } from '../../shared/protocol/api-answers.js';

export type JsonObject = Record<string, unknown>;

/** JSON Schema 2020-12, the dialect of OpenAPI 3.1. What comes in is described as it is sent, before defaults. */
export function schemaOf(schema: z.ZodType): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

const FAULTS = {
  400: 'The call does not fit; nothing was changed. `errors` names what is wrong.',
  401: 'No valid proof: signature missing, wrong, too old, or used before.',
  403: 'Calls of this kind may not come from this address.',
  404: 'Unknown.',
  408: 'The body came too slowly.',
  413: 'The body has more than 2 MiB, or the call makes too many messages.',
  415: 'The body is neither JSON nor a form, or not UTF-8.',
  429: 'Too much at once: repeat it after `Retry-After`.',
  500: 'A fault of this server; `ref` stands in its log.',
  503: 'Not now, nothing was accepted: repeat it after `Retry-After`.',
} as const;
export type FaultStatus = keyof typeof FAULTS;

/** Faults that every signed call may meet. */
export const CALL_FAULTS = [400, 401, 403, 408, 413, 429, 500, 503] as const;

export function faults(...statuses: FaultStatus[]): JsonObject {
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
}

export function faultResponses(): JsonObject {
  const retry = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } };
  const entries = Object.entries(FAULTS).map(([status, description]) => [
    status,
    {
      description,
      ...(status === '429' || status === '503' ? { headers: retry } : {}),
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Fault' } } },
    },
  ]);
  return Object.fromEntries(entries);
}

export const faultSchema: JsonObject = {
  type: 'object',
  required: ['code', 'msg', 'data'],
  properties: {
    code: { type: 'integer', description: 'The HTTP status.' },
    msg: { type: 'string', description: 'What is wrong, where, and what to do.' },
    data: schemaOf(faultDataSchema),
  },
};

/** 200 with `data` of this schema. */
export function answer(description: string, data: JsonObject): JsonObject {
  const schema = {
    type: 'object',
    required: ['code', 'msg', 'data'],
    properties: { code: { const: 200 }, msg: { const: 'success' }, data },
  };
  return { 200: { description, content: { 'application/json': { schema } } } };
}

/** The same fields as JSON or as a form, in which `data` and `messages` are JSON text. */
export function body(schema: JsonObject): JsonObject {
  return {
    required: true,
    content: { 'application/json': { schema }, 'application/x-www-form-urlencoded': { schema } },
  };
}

const HEADER_TEXTS = {
  version: '2. Without it the signature is of version 1, which covers neither the key’s id nor Content-Type.',
  key: 'Id of the key.',
  timestamp: `Unix seconds; clocks must agree within ${TOLERANCE_SECONDS} s.`,
  nonce: '8-64 visible ASCII characters, new for every call.',
  digest: 'Lower-case hex SHA-256 of the body.',
  signature:
    'Hex HMAC-SHA256, with the key’s secret, over “SPUSH 2”, KEY, METHOD, PATH_WITH_QUERY, TIMESTAMP, NONCE, CONTENT_TYPE and DIGEST, joined by line feeds.',
} as const satisfies Record<keyof typeof SIGNATURE_HEADERS, string>;

export function securitySchemes(): JsonObject {
  const entries = Object.entries(SIGNATURE_HEADERS).map(([field, name]) => [
    field,
    { type: 'apiKey', in: 'header', name, description: HEADER_TEXTS[field as keyof typeof HEADER_TEXTS] },
  ]);
  return Object.fromEntries(entries);
}

/** All headers of version 2 together, or all of version 1. */
export const signed = [FIELDS_V2, FIELDS_V1].map((fields) =>
  Object.fromEntries(fields.map((field) => [field, []])),
);
