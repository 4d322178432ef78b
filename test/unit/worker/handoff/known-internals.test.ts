import { describe, expect, it } from 'vitest';
import {
  assertKnownInternals,
  assertKnownSpecimen,
  createSpecimen,
} from '../../../../src/worker/handoff/known-internals.js';

describe('the internals that the hand-over relies on', () => {
  it('are those of the ws and the Node that are installed', () => {
    expect(() => assertKnownSpecimen(createSpecimen())).not.toThrow();
    expect(() => assertKnownInternals()).not.toThrow();
    expect(() => assertKnownInternals()).not.toThrow();
  });

  it('are asked for in a version that was looked at', () => {
    const specimen = { ...createSpecimen(), wsVersion: '9.0.0' };
    expect(() => assertKnownSpecimen(specimen)).toThrow(
      /ws is 9\.0\.0, looked at were 8\.23\.x.*0011-hand-over/,
    );
  });

  it.each([
    ['_state', 'ws._receiver._state is missing'],
    ['_buffers', 'ws._receiver._buffers is missing'],
    ['_fragments', 'ws._receiver._fragments is missing'],
    ['_numFragments', 'ws._receiver._numFragments is missing'],
    ['_mask', 'ws._receiver._mask is missing'],
  ])('are missed by name: the field %s of the receiver', (field, text) => {
    const specimen = createSpecimen();
    Reflect.deleteProperty(Reflect.get(specimen.ws, '_receiver'), field);
    expect(() => assertKnownSpecimen(specimen)).toThrow(text);
  });

  it('are all named when several differ', () => {
    const specimen = createSpecimen();
    Reflect.set(Reflect.get(specimen.ws, '_receiver'), '_buffers', 'text');
    Reflect.deleteProperty(Reflect.get(specimen.ws, '_sender'), '_queue');
    const text = /_receiver\._buffers is no array.*_sender\._queue is missing/;
    expect(() => assertKnownSpecimen(specimen)).toThrow(text);
  });

  it('are missed when the listeners have other names, or somebody else reads', () => {
    const renamed = createSpecimen();
    for (const listener of renamed.socket.listeners('end')) {
      if (listener.name === 'socketOnEnd') Object.defineProperty(listener, 'name', { value: 'onEnd' });
      // The function is that of every connection.
      if (listener.name === 'onEnd')
        restored.push(() => Object.defineProperty(listener, 'name', { value: 'socketOnEnd' }));
    }
    try {
      expect(() => assertKnownSpecimen(renamed)).toThrow('0 listeners socketOnEnd');
    } finally {
      for (const restore of restored) restore();
    }
    const shared = createSpecimen();
    shared.socket.on('data', () => undefined);
    expect(() => assertKnownSpecimen(shared)).toThrow("2 listeners of the socket's data");
  });

  it('are missed when the socket does not lead to its ws', () => {
    const specimen = createSpecimen();
    for (const symbol of Object.getOwnPropertySymbols(specimen.socket)) {
      if (Reflect.get(specimen.socket, symbol) === specimen.ws) Reflect.set(specimen.socket, symbol, null);
    }
    expect(() => assertKnownSpecimen(specimen)).toThrow('0 symbols of the socket that lead to its ws');
  });

  it.each([
    'readStop',
    'readStart',
    'close',
    'writeQueueSize',
    'reading',
  ])('are missed by name: %s of the handle', (field) => {
    class TCP {
      readonly [field: string]: unknown;
      constructor() {
        Object.assign(this, {
          readStop,
          readStart: readStop,
          close: readStop,
          writeQueueSize: 0,
          reading: false,
        });
        Reflect.deleteProperty(this, field);
      }
    }
    const specimen = { ...createSpecimen(), tcpHandle: new TCP() };
    expect(() => assertKnownSpecimen(specimen)).toThrow(`socket._handle.${field} is missing`);
  });

  it('are missed when a handle is of another kind', () => {
    const specimen = { ...createSpecimen(), tcpHandle: {} };
    expect(() => assertKnownSpecimen(specimen)).toThrow('socket._handle is a Object, no TCP');
  });

  it('are missed when the receiver means something else by its fields', () => {
    const specimen = createSpecimen();
    const receiver = Reflect.get(specimen.ws, '_receiver') as {
      write(chunk: Buffer): void;
      _payloadLength: number;
    };
    const write = receiver.write.bind(receiver);
    receiver.write = (chunk) => {
      write(chunk);
      receiver._payloadLength += 1;
    };
    expect(() => assertKnownSpecimen(specimen)).toThrow('half a frame came out as');
  });
});

const restored: (() => void)[] = [];

function readStop(): number {
  return 0;
}
