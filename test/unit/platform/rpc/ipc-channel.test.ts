import { describe, expect, it, vi } from 'vitest';
import { IpcChannel } from '../../../../src/platform/rpc/ipc-channel.js';
import { turns } from '../../../support/deferred.js';

type Callback = (error: Error | null) => void;
const NOTE = { k: 'note', n: 'x', a: 1 } as const;

describe('IpcChannel', () => {
  it('sends, and knows when everything is written', async () => {
    const callbacks: Callback[] = [];
    const channel = new IpcChannel({
      connected: true,
      send: (_message, _handle, _options, callback) => callbacks.push(callback) > 0,
    });
    const flushed = vi.fn();
    expect(channel.send(NOTE, flushed)).toBe(true);
    expect(channel.send(NOTE)).toBe(true);
    let written = false;
    const all = channel.written(60_000).then(() => {
      written = true;
    });
    callbacks[0]?.(null);
    await turns();
    expect(flushed).toHaveBeenCalledOnce();
    expect(written).toBe(false);
    callbacks[1]?.(new Error('EPIPE'));
    await all;
  });

  it('does not throw when the other side has gone, and still says that nothing is on its way', async () => {
    const channel = new IpcChannel({ connected: false });
    const flushed = vi.fn();
    expect(channel.send(NOTE, flushed)).toBe(false);
    await turns();
    expect(flushed).toHaveBeenCalledOnce();
    await channel.written(60_000);
  });

  it('does not wait for ever for somebody who does not read', async () => {
    vi.useFakeTimers();
    const channel = new IpcChannel({ connected: true, send: () => true });
    channel.send(NOTE);
    const written = channel.written(1000);
    await vi.advanceTimersByTimeAsync(1000);
    await written;
    vi.useRealTimers();
  });
});
