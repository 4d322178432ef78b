import { createRequire } from 'node:module';
import type { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ReceiverState, receiverBytes } from '../../../../src/worker/handoff/receiver-bytes.js';
import { type ClientFrame, clientFrame } from './client-frames.js';

interface Limits {
  readonly maxPayload: number;
  readonly maxFragments: number;
}
type Receiver = Writable & ReceiverState;
const { Receiver } = createRequire(import.meta.url)('ws') as {
  Receiver: new (options: Limits & { isServer: true }) => Receiver;
};

const NO_LIMITS: Limits = { maxPayload: 0, maxFragments: 0 };
const LIMITS: Limits = { maxPayload: 70_000, maxFragments: 64 };

describe('the bytes of a receiver', () => {
  it('are none between messages', () => {
    const { receiver } = listen(LIMITS, []);
    receiver.write(clientFrame({ fin: true, opcode: 1, key: [1, 2, 3, 4], payload: Buffer.from('hello') }));
    expect(receiverBytes(receiver)).toHaveLength(0);
  });

  it.each([
    ['with limits', LIMITS],
    ['without limits', NO_LIMITS],
  ])('make another receiver go on, wherever the stream is cut, %s', async (_name, limits) => {
    const stream = Buffer.concat(oneOfEverything().map(clientFrame));
    const whole = await tell(stream, [], limits);
    expect(whole.map(([kind]) => kind)).toEqual([
      'message',
      'ping',
      'message',
      'pong',
      'message',
      'ping',
      'ping',
      'message',
      'message',
      'close',
    ]);
    for (let cut = 0; cut <= stream.length; cut += 1) {
      expect(await tell(stream, [cut], limits), `cut at ${cut}`).toEqual(whole);
    }
    expect(await tell(stream, [...stream.keys()], limits), 'cut everywhere').toEqual(whole);
  });

  it('lose no byte of a valid stream, cut and delivered anyhow', async () => {
    await fc.assert(
      fc.asyncProperty(validStream(), aLimit(), cuts(), pieces(), async (frames, limits, parts, sizes) => {
        const stream = Buffer.concat(frames.map(clientFrame));
        const at = cutsNear(frames, stream, parts);
        expect(await tell(stream, at, limits, sizes)).toEqual(await tell(stream, [], limits));
      }),
      { numRuns: 400 },
    );
  });

  it('make another receiver refuse a wrong stream as the first would have', async () => {
    await fc.assert(
      fc.asyncProperty(
        validStream(),
        aLimit(),
        cuts(),
        pieces(),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        async (frames, limits, parts, sizes, faults) => {
          const stream = Buffer.concat(frames.map(clientFrame));
          fc.pre(stream.length > 0);
          const starts = frameStarts(frames);
          for (const [place, value] of faults) {
            // Mostly in headers, where it matters.
            const start = starts[place % starts.length] ?? 0;
            const index = place % 3 === 0 ? place % stream.length : start + (place % 2);
            stream[Math.min(index, stream.length - 1)] = value;
          }
          const at = cutsNear(frames, stream, parts);
          expect(await tell(stream, at, limits, sizes)).toEqual(await tell(stream, [], limits));
        },
      ),
      { numRuns: 600 },
    );
  });

  it('stay the same from one receiver to the next', () => {
    fc.assert(
      fc.property(validStream(), aLimit(), fc.nat(), (frames, limits, place) => {
        const stream = Buffer.concat(frames.map(clientFrame));
        const { receiver, over } = listen(limits, []);
        receiver.write(stream.subarray(0, place % (stream.length + 1)));
        if (over()) return;
        const bytes = receiverBytes(receiver);
        const told: Told[] = [];
        const next = listen(limits, told).receiver;
        next.write(bytes);
        expect(told).toEqual([]);
        expect(receiverBytes(next).equals(bytes)).toBe(true);
      }),
    );
  });

  it('count empty fragments against the limit', async () => {
    const empty = (opcode: number): ClientFrame => ({
      fin: false,
      opcode,
      key: [1, 2, 3, 4],
      payload: Buffer.alloc(0),
    });
    const stream = Buffer.concat([empty(1), empty(0), empty(0), empty(0)].map(clientFrame));
    const limits = { maxPayload: 100, maxFragments: 3 };
    expect(await tell(stream, [5, 13, 20], limits)).toEqual([['error', 'WS_ERR_TOO_MANY_BUFFERED_PARTS']]);
  });

  it('cannot be had after an error, after a close frame, nor from inside an event', async () => {
    const failed = listen(LIMITS, []).receiver;
    failed.write(Buffer.from([0xff, 0xff]));
    expect(() => receiverBytes(failed)).toThrow('refused its stream');
    const closed = listen(LIMITS, []).receiver;
    closed.write(
      clientFrame({ fin: true, opcode: 8, key: [1, 2, 3, 4], payload: Buffer.from([0x03, 0xe8]) }),
    );
    expect(() => receiverBytes(closed)).toThrow('after a close frame');
    const busy = listen(LIMITS, []).receiver;
    let thrown: unknown = null;
    busy.on('message', () => {
      try {
        receiverBytes(busy);
      } catch (error) {
        thrown = error;
      }
    });
    busy.write(clientFrame({ fin: true, opcode: 1, key: [1, 2, 3, 4], payload: Buffer.from('x') }));
    expect(String(thrown)).toContain('while it parses');
    await new Promise(setImmediate);
  });
});

type Told = readonly [kind: string, ...what: unknown[]];

/** What receivers tell about a stream that is handed from one to the next at the given places. */
async function tell(
  stream: Buffer,
  cutsAt: readonly number[],
  limits: Limits,
  sizes: readonly number[] = [],
): Promise<Told[]> {
  const told: Told[] = [];
  let { receiver, over } = listen(limits, told);
  let from = 0;
  let piece = 0;
  for (const cut of [...cutsAt, stream.length]) {
    while (from < cut && !over()) {
      const size = sizes.length === 0 ? cut - from : (sizes[piece % sizes.length] ?? 1);
      // A copy: payloads are unmasked in place.
      receiver.write(Buffer.from(stream.subarray(from, Math.min(cut, from + size))));
      from = Math.min(cut, from + size);
      piece += 1;
    }
    if (over()) break;
    if (cut === stream.length && from === stream.length) break;
    const head = receiverBytes(receiver);
    ({ receiver, over } = listen(limits, told));
    if (head.length > 0) receiver.write(head);
  }
  await new Promise(setImmediate);
  return told;
}

function listen(limits: Limits, told: Told[]): { receiver: Receiver; over: () => boolean } {
  const receiver = new Receiver({ ...limits, isServer: true });
  let closed = false;
  receiver.on('message', (data: Buffer, isBinary: boolean) => told.push(['message', digest(data), isBinary]));
  receiver.on('ping', (data: Buffer) => told.push(['ping', data.toString('hex')]));
  receiver.on('pong', (data: Buffer) => told.push(['pong', data.toString('hex')]));
  receiver.on('conclude', (code: number, reason: Buffer) => {
    closed = true;
    told.push(['close', code, reason.toString('hex')]);
  });
  receiver.on('error', (error: NodeJS.ErrnoException) => told.push(['error', error.code]));
  return { receiver, over: () => closed || receiver._errored };
}

function digest(data: Buffer): string {
  return `${data.length}:${data.subarray(0, 40).toString('hex')}:${data.reduce((sum, byte, i) => (sum * 31 + byte + i) | 0, 7)}`;
}

function oneOfEverything(): ClientFrame[] {
  const key = [9, 8, 7, 6] as const;
  const none = [0, 0, 0, 0] as const;
  const bytes = (text: string): Buffer => Buffer.from(text);
  return [
    { fin: true, opcode: 1, key, payload: bytes('hé') },
    { fin: true, opcode: 9, key, payload: bytes('p1') },
    { fin: true, opcode: 2, key: none, payload: Buffer.alloc(0) },
    { fin: true, opcode: 10, key, payload: Buffer.alloc(0) },
    { fin: true, opcode: 1, key, payload: bytes('n'.repeat(130)) },
    { fin: false, opcode: 1, key, payload: Buffer.alloc(0) },
    { fin: true, opcode: 9, key, payload: bytes('between') },
    { fin: false, opcode: 0, key, payload: bytes('fr\u{1f600}').subarray(0, 4) },
    { fin: false, opcode: 0, key, payload: Buffer.alloc(0) },
    { fin: true, opcode: 9, key: none, payload: Buffer.alloc(0) },
    { fin: true, opcode: 0, key, payload: bytes('fr\u{1f600}').subarray(4) },
    { fin: true, opcode: 2, key, payload: bytes('wide'), wide: 64 },
    { fin: true, opcode: 8, key, payload: Buffer.concat([Buffer.from([0x03, 0xe9]), bytes('bye')]) },
  ];
}

function validStream(): fc.Arbitrary<ClientFrame[]> {
  return fc
    .array(
      fc.oneof(
        dataMessage(),
        controlFrame().map((frame) => [frame]),
      ),
      { maxLength: 6 },
    )
    .chain(
      (parts): fc.Arbitrary<ClientFrame[]> =>
        fc.option(key(), { freq: 3 }).map((closeKey) => {
          const frames = parts.flat();
          if (closeKey === null) return frames;
          return [
            ...frames,
            { fin: true, opcode: 8, key: closeKey, payload: Buffer.from([0x03, 0xe8, 0x61, 0x62]) },
          ];
        }),
    );
}

function dataMessage(): fc.Arbitrary<ClientFrame[]> {
  const payload = fc.oneof(
    { weight: 4, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }).map((text) => Buffer.from(text)) },
    {
      weight: 3,
      arbitrary: fc
        .constantFrom(0, 1, 124, 125, 126, 127, 65_535, 65_536, 69_999, 70_000)
        .map((length) => Buffer.alloc(length, 'x')),
    },
  );
  return fc
    .record({
      binary: fc.boolean(),
      payload,
      splits: fc.array(fc.nat(), { maxLength: 6 }),
      between: fc.array(fc.option(controlFrame(), { freq: 1 }), { maxLength: 6 }),
      keys: fc.array(key(), { minLength: 7, maxLength: 7 }),
      wide: fc.option(fc.constantFrom(16 as const, 64 as const), { freq: 1 }),
    })
    .map(({ binary, payload: whole, splits, between, keys, wide }) => {
      const places = splits.map((place) => place % (whole.length + 1)).sort((a, b) => a - b);
      const frames: ClientFrame[] = [];
      for (let i = 0; i <= places.length; i += 1) {
        const fin = i === places.length;
        frames.push({
          fin,
          opcode: i > 0 ? 0 : binary ? 2 : 1,
          key: keys[i] ?? [0, 0, 0, 0],
          payload: whole.subarray(i === 0 ? 0 : places[i - 1], places[i] ?? whole.length),
          wide: wide === 16 && whole.length > 65_535 ? null : wide,
        });
        const control = between[i];
        if (!fin && control) frames.push(control);
      }
      return frames;
    });
}

function controlFrame(): fc.Arbitrary<ClientFrame> {
  return fc
    .record({
      opcode: fc.constantFrom(9, 10),
      key: key(),
      bytes: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.constant(new Uint8Array(125).fill(65))),
    })
    .map(({ opcode, key: ownKey, bytes }) => ({
      fin: true,
      opcode,
      key: ownKey,
      payload: Buffer.from(bytes),
    }));
}

function key(): fc.Arbitrary<[number, number, number, number]> {
  const byte = fc.nat(255);
  return fc.oneof(
    { weight: 4, arbitrary: fc.tuple(byte, byte, byte, byte) },
    { weight: 1, arbitrary: fc.constant<[number, number, number, number]>([0, 0, 0, 0]) },
  );
}

function aLimit(): fc.Arbitrary<Limits> {
  return fc.record({
    maxPayload: fc.constantFrom(0, 125, 1000, 70_000),
    maxFragments: fc.constantFrom(0, 1, 3, 64),
  });
}

/** Frame, and byte from its start: in the header mostly. */
function cuts(): fc.Arbitrary<(readonly [frame: number, byte: number])[]> {
  const byte = fc.oneof({ weight: 3, arbitrary: fc.nat(16) }, { weight: 1, arbitrary: fc.nat(70_020) });
  return fc.array(fc.tuple(fc.nat(), byte), { minLength: 1, maxLength: 6 });
}

function cutsNear(
  frames: readonly ClientFrame[],
  stream: Buffer,
  parts: readonly (readonly [number, number])[],
): number[] {
  const starts = frameStarts(frames);
  const at = parts.map(([frame, byte]) => (starts[frame % starts.length] ?? 0) + byte);
  return at.map((place) => Math.min(place, stream.length)).sort((a, b) => a - b);
}

function frameStarts(frames: readonly ClientFrame[]): number[] {
  const starts = [0];
  for (const frame of frames) starts.push((starts.at(-1) ?? 0) + clientFrame(frame).length);
  return starts;
}

/** Sizes of the chunks in which the bytes arrive. */
function pieces(): fc.Arbitrary<number[]> {
  return fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 40_000 })), {
    minLength: 1,
    maxLength: 5,
  });
}
