/** Holds docs/PROTOCOL.md to the code: what the code can do has its place there, and what stands there as an example works. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { md5Token } from '../../../src/platform/auth/gzcp-verifier.js';
import { legacyProof } from '../../../src/platform/auth/legacy-token.js';
import {
  SIGNATURE_HEADERS,
  signCall,
  signCallV1,
  textToSign,
  textToSignV1,
} from '../../../src/platform/auth/signature.js';
import { CONFIG_KEYS } from '../../../src/platform/config/config-keys.js';
import { Metrics } from '../../../src/platform/metrics/metrics.js';
import { KINDS } from '../../../src/shared/domain/kind.js';
import { isMessageId } from '../../../src/shared/domain/message-id.js';
import { kickSchema, parseKick, parsePush, personalMessageSchema } from '../../../src/shared/protocol/api.js';
import {
  acceptedSchema,
  faultDataSchema,
  kickedSchema,
  messageStatusSchema,
  userStateSchema,
} from '../../../src/shared/protocol/api-answers.js';
import { CLOSE, mayReconnect } from '../../../src/shared/protocol/close-codes.js';
import { parseGzcpAnswer } from '../../../src/shared/protocol/gzcp.js';
import { WS_COMMANDS } from '../../../src/shared/protocol/ws-commands.js';
import { RECONNECT_SECONDS } from '../../../src/shared/protocol/ws-frames.js';
import { openApiDocument } from '../../../src/worker/api/openapi.js';
import { readFrame } from '../../../src/worker/gateway/read-frame.js';

const doc = readFileSync(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8');
const EVENTS = ['hello', 'push', 'read', 'bye'];

interface Example {
  readonly cmd?: string;
  readonly id?: string;
  readonly code?: number;
  readonly body?: Record<string, unknown>;
  readonly data?: Record<string, unknown>;
}

/** Text of a section: from its heading to the next one of the same or a higher level. */
function section(heading: string): string {
  const start = doc.indexOf(`\n${heading}\n`);
  expect(start, `PROTOCOL.md has no heading "${heading}"`).toBeGreaterThan(-1);
  const level = heading.indexOf(' ');
  const rest = doc.slice(start + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'));
  return end === -1 ? rest : rest.slice(0, end);
}

function blocks(language: string, text = doc): string[] {
  return [...text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    (found) => found[1] ?? '',
  );
}

const examples = blocks('json').map((text) => JSON.parse(text) as Example);
const requests = examples.filter(({ cmd, id, code }) => cmd !== undefined && id !== '' && code === undefined);
const events = examples.filter(({ id }) => id === '');
/** JSON bodies of the curl examples. */
const posted = blocks('sh').flatMap((text) => {
  const path = /127\.0\.0\.1:9501(\/\S+)/.exec(text)?.[1];
  const body = /-d '([^']+)'/.exec(text)?.[1];
  return path === undefined || body === undefined ? [] : [{ path, body: JSON.parse(body) as unknown }];
});

/** Names in the first column of a section's tables. */
function fieldsOf(text: string): string[] {
  return [...text.matchAll(/^\| (`[^|]+) \|/gm)].flatMap((row) =>
    [...(row[1] ?? '').matchAll(/`([A-Za-z]+)`/g)].map((name) => name[1] ?? ''),
  );
}

describe('docs/PROTOCOL.md', () => {
  test.each(
    Object.keys(WS_COMMANDS),
  )('has the command %s: a heading, a row, an example that is accepted', (name) => {
    section(`### \`${name}\``);
    expect(section('## 3. WebSocket: commands')).toContain(`| [\`${name}\`](#${name}) |`);
    const own = requests.filter(({ cmd }) => cmd === name);
    expect(own.length).toBeGreaterThan(0);
  });

  test.each(['login', 'ack', 'list'] as const)('has every field of %s', (name) => {
    const fields = fieldsOf(section(`### \`${name}\``));
    expect(fields).toEqual(expect.arrayContaining(Object.keys(WS_COMMANDS[name].shape)));
  });

  test('shows no request that the server refuses', () => {
    for (const request of requests)
      expect(readFrame(JSON.stringify(request)), JSON.stringify(request)).toMatchObject({ ok: true });
  });

  test('shows every event, and none that does not exist', () => {
    expect([...new Set(events.map(({ cmd }) => cmd))].sort()).toEqual([...EVENTS].sort());
    expect(events.find(({ cmd }) => cmd === 'hello')?.body).toMatchObject({
      version: 1,
      reconnect: RECONNECT_SECONDS,
    });
  });

  test('shows only message ids that could be ones', () => {
    const ids = [...doc.matchAll(/"(\d{17,})"/g)].map((found) => found[1]);
    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) expect(isMessageId(id), `id ${id}`).toBe(true);
  });

  test.each(Object.entries(CLOSE))('says of close code %s (%i) whether to come back', (_name, code) => {
    const row = section('### Close codes')
      .split('\n')
      .find((line) => line.startsWith(`| ${code} |`));
    expect(row, `no row for ${code}`).toBeDefined();
    const comeBack = row?.split('|').at(-2)?.trim() ?? '';
    expect(comeBack.startsWith(mayReconnect(code) ? 'yes' : 'no'), row).toBe(true);
  });

  test.each(
    Object.entries(openApiDocument('0').paths as Record<string, Record<string, unknown>>),
  )('has the path %s', (path, methods) => {
    const pattern = path.replace(/\{(\w+)\}/g, ':$1');
    for (const method of Object.keys(methods))
      expect(doc).toContain(`| \`${method.toUpperCase()} ${pattern}\` |`);
  });

  test('has no path that the API does not know', () => {
    const known = Object.keys(openApiDocument('0').paths as object).map((path) =>
      path.replace(/\{(\w+)\}/g, ':$1'),
    );
    const named = [...doc.matchAll(/^\| `(?:GET|POST) (\S+)` \|/gm)].map((found) => found[1]);
    expect(named.filter((path) => !known.includes(path ?? ''))).toEqual([]);
  });

  test('has every field of a message, of kick and of the answers', () => {
    const text = section('## 7. HTTP API for the main site');
    const names = new Set(text.match(/[A-Za-z]+/g));
    const schemas = [
      personalMessageSchema,
      kickSchema,
      acceptedSchema,
      messageStatusSchema,
      userStateSchema,
      userStateSchema.shape.connections.element,
      kickedSchema,
      faultDataSchema,
    ];
    for (const { shape } of schemas)
      for (const name of Object.keys(shape)) expect(names, name).toContain(name);
    for (const state of messageStatusSchema.shape.state.options) expect(text).toContain(`| \`${state}\` |`);
    for (const kind of KINDS) expect(text).toContain(`\`${kind}\``);
  });

  test('shows no call and no answer that the code would refuse', () => {
    expect(posted.length).toBeGreaterThan(3);
    for (const { path, body } of posted) {
      if (path === '/api/user/kick') parseKick(body);
      else parsePush(path.endsWith('systemMessage') ? 'systemNotice' : 'comment', body);
    }
    const answers = examples.flatMap(({ cmd, data }) => (cmd === undefined && data ? [data] : []));
    const shown = (schema: { safeParse(value: unknown): { success: boolean } }, field: string) =>
      answers.filter((data) => field in data).map((data) => schema.safeParse(data).success);
    expect(shown(acceptedSchema.strict(), 'accepted')).toEqual([true]);
    expect(shown(messageStatusSchema.strict(), 'state')).toEqual([true]);
    expect(shown(userStateSchema.strict(), 'online')).toEqual([true]);
    expect(shown(kickedSchema.strict(), 'closed')).toEqual([true]);
  });

  test('has worked signatures of both versions whose numbers are right', () => {
    const text = section('### Signature');
    const trimmed = blocks('text', text).map((block) => block.replace(/\n$/, ''));
    const [body = '', toSign = '', headers = '', toSignV1 = '', headersV1 = ''] = trimmed;
    const secret = /Secret `([^`]+)`/.exec(text)?.[1] ?? '';
    expect(text).toMatch(new RegExp(`this\\s+body of ${Buffer.byteLength(body)} bytes`));
    const [, key = '', method = '', path = '', timestamp = '', nonce = '', contentType = '', digest = ''] =
      toSign.split('\n');
    expect(textToSign({ method, path, contentType }, { key, timestamp, nonce, digest })).toBe(toSign);
    expect(textToSignV1({ method, path, body }, { timestamp, nonce })).toBe(toSignV1);
    const call = { method, path, contentType, body, timestamp: Number(timestamp), nonce };
    const lines = (made: Record<string, string>) =>
      Object.entries(made).map(([name, value]) => `${name}: ${value}`);
    expect(headers.split('\n').sort()).toEqual(lines(signCall({ id: key, secret }, call)).sort());
    expect(headersV1.split('\n').sort()).toEqual(lines(signCallV1({ id: key, secret }, call)).sort());

    const second = /nonce `([^`]+)`, `GET (\/[^`]+)` has the signature\s+`([0-9a-f]{64})`/.exec(text);
    const get = {
      method: 'GET',
      path: second?.[2] ?? '',
      body: '',
      timestamp: Number(timestamp),
      nonce: second?.[1] ?? '',
    };
    expect(signCall({ id: key, secret }, get)[SIGNATURE_HEADERS.signature]).toBe(second?.[3]);

    const token = /it is `([0-9a-f]{32})`/.exec(text)?.[1];
    const proof = legacyProof({ timestamp, token }, [{ id: key, secret }], Number(timestamp));
    expect(proof.key.id).toBe('gzcp');
  });

  test('shows the call to the main site as it is made', () => {
    const text = section('## 8. Call to the main site');
    const [call = ''] = blocks('text', text);
    const {
      timestamp = '',
      loginkey = '',
      token,
    } = Object.fromEntries(new URLSearchParams(/\?(\S+)/.exec(call)?.[1]));
    const secret = /secret `([^`]+)`/.exec(text)?.[1] ?? '';
    expect(token).toBe(md5Token(timestamp, loginkey, secret));
    expect(parseGzcpAnswer(blocks('json', text)[0] ?? '')).toEqual({ is: 'user', uid: 176_906 });
  });

  test('names only configuration keys that exist', () => {
    const known = new Set(CONFIG_KEYS.map(({ name }) => name));
    const named = [...doc.matchAll(/`([A-Z][a-z]+[A-Z]\w+)`/g)].map((found) => found[1] ?? '');
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('has every metric', async () => {
    const metrics = new Metrics();
    metrics.follow(() => ({
      connections: 0,
      sessions: 0,
      accepted: 0,
      closed: 0,
      requests: 0,
      pushes: 0,
      acks: 0,
      dropped: 0,
      slowClosed: 0,
      idleClosed: 0,
      lostCut: 0,
      busDropped: 0,
    }));
    metrics.followBusRefused(() => ({}));
    const names = (await metrics.registry.getMetricsAsJSON()).map(({ name }) => name);
    for (const name of names) expect(doc).toMatch(new RegExp(`\`${name}[\`{]`));
  });
});
