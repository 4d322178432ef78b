import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Envelope, Peer } from '../../../../src/platform/rpc/peer.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { MessageMap } from '../../../../src/shared/protocol/ipc.js';

interface ToServer extends MessageMap {
  readonly calls: {
    double: { args: { n: number }; result: { n: number } };
    fail: { args: { how: 'expected' | 'bug' }; result: Record<string, never> };
    hang: { args: Record<string, never>; result: Record<string, never> };
  };
  readonly notes: { heard: { what: string } };
}
interface ToClient extends MessageMap {
  readonly calls: Record<string, never>;
  readonly notes: Record<string, never>;
}

function pair() {
  const heard: string[] = [];
  const sent: Envelope[] = [];
  let open = true;
  const server: Peer<ToServer, ToClient> = new Peer(
    {
      send: (message) => {
        client.receive(structuredClone(message));
        return true;
      },
    },
    'the client',
    {
      calls: {
        double: ({ n }) => ({ n: n * 2 }),
        fail: ({ how }) => {
          throw how === 'expected' ? new SpushError('STORE_BUSY', 'too much waits') : new Error('oops');
        },
        hang: () => new Promise(() => {}),
      },
      notes: { heard: ({ what }) => heard.push(what) },
      hands: {},
    },
  );
  const client: Peer<ToClient, ToServer> = new Peer(
    {
      send: (message, flushed) => {
        sent.push(message);
        if (open) server.receive(structuredClone(message));
        flushed?.(null);
        return open;
      },
    },
    'the server',
    { calls: {}, notes: {}, hands: {} },
  );
  return { client, server, heard, sent, close: () => (open = false) };
}

describe('Peer', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('answers a call with the handler’s result', async () => {
    const { client } = pair();
    await expect(client.call('double', { n: 21 }, { deadlineMs: 100 })).resolves.toEqual({ n: 42 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('carries an expected error with its code, and anything else as INTERNAL', async () => {
    const { client } = pair();
    await expect(client.call('fail', { how: 'expected' }, { deadlineMs: 100 })).rejects.toMatchObject({
      code: 'STORE_BUSY',
      message: 'too much waits',
    });
    await expect(client.call('fail', { how: 'bug' }, { deadlineMs: 100 })).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'oops',
    });
  });

  it('gives up at the deadline and says who was silent about what', async () => {
    const { client } = pair();
    const answer = client.call('hang', {}, { deadlineMs: 250 });
    const seen = expect(answer).rejects.toMatchObject({
      code: 'RPC_TIMEOUT',
      message: 'the server did not answer hang within 250 ms',
    });
    await vi.advanceTimersByTimeAsync(250);
    await seen;
  });

  it('fails everything that waits when the other side ends, and every call after it', async () => {
    const { client } = pair();
    const waiting = expect(client.call('hang', {}, { deadlineMs: 1000 })).rejects.toMatchObject({
      code: 'RPC_PEER_GONE',
    });
    client.gone('it exited with code 1');
    await waiting;
    await expect(client.call('double', { n: 1 }, { deadlineMs: 1000 })).rejects.toMatchObject({
      code: 'RPC_PEER_GONE',
      message: 'the server cannot be asked for double: it exited with code 1',
    });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('finds out by a call that the channel is closed', async () => {
    const { client, close } = pair();
    close();
    await expect(client.call('double', { n: 1 }, { deadlineMs: 1000 })).rejects.toMatchObject({
      code: 'RPC_PEER_GONE',
    });
  });

  it('hands notes over without an answer, and tells when they were taken', () => {
    const { client, heard, sent } = pair();
    const flushed = vi.fn();
    client.note('heard', { what: 'this' }, flushed);
    expect(heard).toEqual(['this']);
    expect(sent).toHaveLength(1);
    expect(flushed).toHaveBeenCalledOnce();
  });

  it('sends no notes to somebody who has gone', () => {
    const { client, sent } = pair();
    client.gone('over');
    client.note('heard', { what: 'this' });
    expect(sent).toEqual([]);
  });

  it('answers a call that nobody handles instead of leaving the caller waiting', async () => {
    const { client } = pair();
    const unknown = client as unknown as Peer<
      ToClient,
      {
        calls: { nothing: { args: null; result: null } };
        notes: Record<string, never>;
        hands: Record<string, never>;
      }
    >;
    await expect(unknown.call('nothing', null, { deadlineMs: 100 })).rejects.toMatchObject({
      code: 'INTERNAL',
    });
  });

  it.each([
    null,
    'text',
    7,
    {},
    { k: 'ok', i: 99, r: 1 },
    { k: 'err', i: 99, c: 'X', m: 'y' },
    { k: 'note', n: 'none', a: 1 },
  ])('ignores %j, which belongs to nothing', (message) => {
    const { client } = pair();
    expect(() => client.receive(message)).not.toThrow();
  });
});
