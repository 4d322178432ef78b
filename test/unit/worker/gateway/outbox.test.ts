import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { momentOf } from '../../../../src/shared/base/clock.js';
import { Outbox } from '../../../../src/worker/gateway/outbox.js';

const LIMITS = { softBytes: 100, hardBytes: 300, stallMs: 30_000 };

/** A socket whose peer reads when the test says so. */
class StuckSocket extends Duplex {
  bytesWritten = 0;
  #pending: (() => void)[] = [];

  constructor() {
    super({ writableHighWaterMark: 16 });
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.bytesWritten += chunk.length;
    this.#pending.push(done);
  }

  override _read(): void {}

  /** The peer takes the oldest write. */
  peerTakes(): void {
    this.#pending.shift()?.();
  }
}

function setUp(): { socket: StuckSocket; outbox: Outbox } {
  const socket = new StuckSocket();
  return { socket, outbox: new Outbox(socket, () => LIMITS) };
}

const frame = (bytes: number): Buffer => Buffer.alloc(bytes);

describe('the outbox', () => {
  test('leaves live copies out above the soft mark, and takes them again below', () => {
    const { socket, outbox } = setUp();
    expect(outbox.offer(frame(101))).toBe('written');
    expect(outbox.offer(frame(1))).toBe('left-out');
    socket.peerTakes();
    expect(outbox.offer(frame(1))).toBe('written');
  });

  test('writes replies above the soft mark, and gives up above the hard one', () => {
    const { outbox } = setUp();
    expect(outbox.put(frame(200))).toBe('written');
    expect(outbox.put(frame(200))).toBe('written');
    expect(outbox.put(frame(1))).toBe('given-up');
  });

  test('says when it has drained', async () => {
    const { socket, outbox } = setUp();
    outbox.put(frame(50));
    let drained = false;
    const wait = outbox.drained().then(() => {
      drained = true;
    });
    await Promise.resolve();
    expect(drained).toBe(false);
    socket.peerTakes();
    await wait;
  });

  test('does not wait for a socket that is destroyed', async () => {
    const { socket, outbox } = setUp();
    outbox.put(frame(50));
    const wait = outbox.drained();
    socket.destroy();
    await wait;
    expect(outbox.offer(frame(1))).toBe('closed');
    expect(outbox.put(frame(1))).toBe('closed');
  });

  test('is stalled only when nothing at all has moved for the whole time', () => {
    const { socket, outbox } = setUp();
    expect(outbox.stalled(momentOf(1))).toBe(false);
    outbox.put(frame(50));
    outbox.put(frame(50));
    expect(outbox.stalled(momentOf(1000))).toBe(false);
    expect(outbox.stalled(momentOf(30_000))).toBe(false);
    socket.peerTakes();
    expect(outbox.stalled(momentOf(31_000))).toBe(false);
    expect(outbox.stalled(momentOf(60_999))).toBe(false);
    expect(outbox.stalled(momentOf(61_000))).toBe(true);
  });

  test('a large write of which the kernel takes a part at a time makes progress', () => {
    const { socket, outbox } = setUp();
    const handle = { bytesWritten: 200, writeQueueSize: 200 };
    Reflect.set(socket, '_handle', handle);
    outbox.put(frame(200));
    expect(outbox.stoodStillMs(momentOf(0))).toBe(0);
    expect(outbox.stoodStillMs(momentOf(29_000))).toBe(29_000);
    handle.writeQueueSize = 199;
    expect(outbox.stoodStillMs(momentOf(40_000))).toBe(0);
    expect(outbox.stalled(momentOf(69_999))).toBe(false);
    expect(outbox.stalled(momentOf(70_000))).toBe(true);
  });

  test('one that is closed keeps nobody waiting for it to flow', () => {
    const { socket, outbox } = setUp();
    outbox.put(frame(50));
    expect(outbox.flowing).toBe(false);
    socket.destroy();
    expect(outbox.flowing).toBe(true);
  });

  test('a page that is larger than the hard mark gives up nobody while it goes out', () => {
    const { socket, outbox } = setUp();
    expect(outbox.offer(frame(1000))).toBe('written');
    expect(outbox.put(frame(50))).toBe('written');
    expect(outbox.put(frame(300))).toBe('written');
    expect(outbox.put(frame(1))).toBe('given-up');
    for (let n = 0; n < 4; n += 1) socket.peerTakes();
    expect(outbox.put(frame(300))).toBe('written');
  });
});
