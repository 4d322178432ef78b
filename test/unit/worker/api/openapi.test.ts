import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApiDocument } from '../../../../src/worker/api/openapi.js';
import { ApiHarness } from './api-harness.js';

interface Operation {
  readonly operationId: string;
  readonly security: unknown[];
  readonly parameters?: unknown[];
  readonly requestBody?: unknown;
  readonly responses: Record<string, unknown>;
}

let api: ApiHarness;

beforeAll(async () => {
  api = await ApiHarness.open();
});

afterAll(() => api.close());

describe('the OpenAPI document', () => {
  const document = openApiDocument('1.2.3');
  const paths = document['paths'] as Record<string, Record<string, Operation>>;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

  test('is valid OpenAPI 3.1, references too', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(document));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
    expect(() => validator.resolveRefs()).not.toThrow();
  });

  test('is served as it is', async () => {
    const response = await fetch(`${api.url}/openapi.json`);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.json()).toEqual(document);
  });

  test('describes every path, and every path it describes is there', async () => {
    expect(Object.keys(paths).sort()).toEqual([
      '/api/comment/message',
      '/api/message/{id}',
      '/api/notice/systemMessage',
      '/api/notice/userMessage',
      '/api/user/kick',
      '/api/user/{uid}',
      '/healthz',
      '/metrics',
      '/openapi.json',
      '/readyz',
    ]);
    for (const { path, method } of operations) {
      const response = await fetch(`${api.url}${path.replace(/\{.*\}/, '5')}`, {
        method: method.toUpperCase(),
      });
      await response.text();
      expect([200, 400]).toContain(response.status);
    }
  });

  test('says of each call its proof, parameters, body and answers', () => {
    for (const { path, method, operation } of operations) {
      const signed = path.startsWith('/api/');
      const version1 = { key: [], timestamp: [], nonce: [], signature: [] };
      expect(operation.security).toEqual(signed ? [{ ...version1, version: [], digest: [] }, version1] : []);
      expect(operation.parameters !== undefined).toBe(path.includes('{'));
      expect(operation.requestBody !== undefined).toBe(method === 'post');
      expect(Object.keys(operation.responses)).toContain('200');
      if (signed)
        expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['400', '401', '503']));
    }
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  });

  test('knows the limits of the schemas', () => {
    const { schemas } = document['components'] as { schemas: Record<string, unknown> };
    expect(JSON.stringify(schemas['Message'])).toContain('"maxLength":8000');
    expect(JSON.stringify(schemas['Message'])).toContain('"maxItems":1000');
    expect(JSON.stringify(schemas['SystemMessage'])).toContain('"uid":{"type":"null"}');
  });
});
