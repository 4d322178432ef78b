/** The description of the API for programs, OpenAPI 3.1, made from the schemas that check the calls. */
import type { Kind } from '../../shared/domain/kind.js';
import {
  BATCH_MAX,
  kickSchema,
  PUSH_PATHS,
  personalMessageSchema,
  systemMessageSchema,
} from '../../shared/protocol/api.js';
import {
  acceptedSchema,
  kickedSchema,
  messageStatusSchema,
  userStateSchema,
} from '../../shared/protocol/api-answers.js';
import {
  answer,
  body,
  CALL_FAULTS,
  faultResponses,
  faultSchema,
  faults,
  type JsonObject,
  schemaOf,
  securitySchemes,
  signed,
} from './openapi-parts.js';

const PUSH_TEXTS: Record<Kind, { readonly id: string; readonly summary: string }> = {
  comment: { id: 'pushComment', summary: 'Somebody commented: tell these users.' },
  userNotice: { id: 'pushUserNotice', summary: 'A personal notice for these users.' },
  systemNotice: { id: 'pushSystemNotice', summary: 'An announcement for everybody.' },
};

const ref = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });

export function openApiDocument(version: string): JsonObject {
  return {
    openapi: '3.1.0',
    info: {
      title: 'spush',
      version,
      description: 'Push server: what was answered with 200 is stored and reaches its readers at least once.',
    },
    paths: { ...pushPaths(), ...questionPaths(), ...opsPaths() },
    components: {
      schemas: {
        Message: schemaOf(personalMessageSchema),
        SystemMessage: schemaOf(systemMessageSchema),
        Accepted: schemaOf(acceptedSchema),
        MessageStatus: schemaOf(messageStatusSchema),
        UserState: schemaOf(userStateSchema),
        Kick: schemaOf(kickSchema),
        Kicked: schemaOf(kickedSchema),
        Fault: faultSchema,
      },
      responses: faultResponses(),
      securitySchemes: securitySchemes(),
    },
  };
}

function pushPaths(): JsonObject {
  const pathOf = ([kind, path]: [string, string]) => {
    const { id, summary } = PUSH_TEXTS[kind as Kind];
    const message = ref(kind === 'systemNotice' ? 'SystemMessage' : 'Message');
    const batch = {
      type: 'object',
      required: ['messages'],
      properties: { messages: { type: 'array', minItems: 1, maxItems: BATCH_MAX, items: message } },
    };
    return [
      path,
      {
        post: {
          operationId: id,
          summary,
          description: 'One message, or a batch that is stored whole or not at all.',
          security: signed,
          requestBody: body({ anyOf: [message, batch] }),
          responses: {
            ...answer('Stored; a repeated call answers the same ids.', ref('Accepted')),
            ...faults(...CALL_FAULTS, 415),
          },
        },
      },
    ];
  };
  return Object.fromEntries(Object.entries(PUSH_PATHS).map(pathOf));
}

function questionPaths(): JsonObject {
  return {
    '/api/message/{id}': {
      get: {
        operationId: 'messageStatus',
        summary: 'What became of a message.',
        security: signed,
        parameters: [
          { name: 'id', in: 'path', required: true, schema: { type: 'string', pattern: '^[1-9][0-9]{18}$' } },
        ],
        responses: {
          ...answer('Its state and times.', ref('MessageStatus')),
          ...faults(...CALL_FAULTS, 404),
        },
      },
    },
    '/api/user/{uid}': {
      get: {
        operationId: 'userState',
        summary: 'Whether a user is online, and with what.',
        security: signed,
        parameters: [
          { name: 'uid', in: 'path', required: true, schema: { type: 'integer', exclusiveMinimum: 0 } },
        ],
        responses: {
          ...answer('Connections on every node that answered.', ref('UserState')),
          ...faults(...CALL_FAULTS),
        },
      },
    },
    '/api/user/kick': {
      post: {
        operationId: 'kickUser',
        summary: 'Closes all connections of a user, on every node, with 4003.',
        security: signed,
        requestBody: body(ref('Kick')),
        responses: { ...answer('How many were closed.', ref('Kicked')), ...faults(...CALL_FAULTS, 415) },
      },
    },
  };
}

function opsPaths(): JsonObject {
  const open = { security: [] };
  const none = { type: 'object' };
  return {
    '/healthz': {
      get: {
        operationId: 'health',
        summary: 'The process answers.',
        ...open,
        responses: { ...answer('It does.', none), ...faults(500) },
      },
    },
    '/readyz': {
      get: {
        operationId: 'ready',
        summary: 'Store, bus and a whole delivery work.',
        ...open,
        responses: { ...answer('They do.', none), ...faults(503) },
      },
    },
    '/openapi.json': {
      get: {
        operationId: 'openApi',
        summary: 'This document.',
        ...open,
        responses: {
          200: { description: 'OpenAPI 3.1.', content: { 'application/json': { schema: none } } },
        },
      },
    },
    '/metrics': {
      get: {
        operationId: 'metrics',
        summary: 'Figures of all Workers for Prometheus; for operators’ addresses.',
        ...open,
        responses: {
          200: { description: 'Prometheus text.', content: { 'text/plain': { schema: { type: 'string' } } } },
          ...faults(403),
        },
      },
    },
  };
}
