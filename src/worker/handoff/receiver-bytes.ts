/**
 * What ws's Receiver has read and not yet told as messages, turned back into bytes a client could have sent. A receiver
 * that gets them first, and then what the client sends next, ends up saying and refusing the same as one that was never cut.
 *
 *     earlier fragments of the unfinished message, unmasked   ->  frames of their own with key 0
 *     the header of the frame under way, parsed               ->  header, and the key when it was read
 *     bytes not parsed, payload still masked                  ->  as they are
 */
import { assert } from '../../shared/base/assert.js';

/** Fields of ws/lib/receiver.js as they are between two writes. */
export interface ReceiverState {
  readonly _state: number;
  readonly _fin: boolean;
  /** Of the frame under way, or of the last one; a continuation has the opcode of its message here. */
  readonly _opcode: number;
  /** In GET_PAYLOAD_LENGTH_16 and _64 the seven bits of the header (126, 127), after that the length itself. */
  readonly _payloadLength: number;
  readonly _masked: boolean;
  readonly _mask: Buffer | undefined;
  readonly _buffers: readonly Buffer[];
  readonly _bufferedBytes: number;
  /** The opcode of the unfinished message; 0 when there is none. */
  readonly _fragmented: number;
  /** Payloads of its finished frames; empty ones are left out. */
  readonly _fragments: readonly Buffer[];
  /** Its finished frames, empty ones included; counted only when `_maxFragments` is set. */
  readonly _numFragments: number;
  readonly _maxFragments: number;
  readonly _compressed: boolean;
  readonly _isServer: boolean;
  readonly _errored: boolean;
  /** True while a write is being parsed. */
  readonly _loop: boolean;
}

/** The states of ws/lib/receiver.js. */
const GET_INFO = 0;
const GET_PAYLOAD_LENGTH_16 = 1;
const GET_PAYLOAD_LENGTH_64 = 2;
// 3 is GET_MASK: the header alone.
const GET_DATA = 4;

const CONTINUATION = 0x00;
const CLOSE = 0x08;
const FIN = 0x80;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const KEY_BYTES = 4;
const EMPTY = Buffer.alloc(0);

/** Changes nothing. Throws AssertionError where a receiver cannot be cut: after an error or a close frame, inside a write. */
export function receiverBytes(receiver: ReceiverState): Buffer {
  assertCanBeCut(receiver);
  return Buffer.concat([...finishedFragments(receiver), frameUnderWay(receiver), ...receiver._buffers]);
}

function assertCanBeCut(receiver: ReceiverState): void {
  const { _state, _buffers, _fragments } = receiver;
  assert(receiver._isServer, 'only what a client sends is turned back into bytes');
  assert(!receiver._errored, 'a receiver that refused its stream has no bytes to go on with');
  assert(!receiver._loop, 'a receiver cannot be cut while it parses: not from inside one of its events');
  assert(!receiver._compressed, 'compressed messages are not turned back into bytes');
  assert(_state >= GET_INFO && _state <= GET_DATA, `a receiver in state ${_state} waits for something else`);
  assert(_state !== GET_INFO || receiver._opcode !== CLOSE, 'after a close frame nothing goes on');
  assert(_state !== GET_DATA || receiver._mask?.length === KEY_BYTES, 'payload without its masking key');
  assert(_state === GET_INFO || receiver._masked, 'a frame of a client without mask');
  const buffered = _buffers.reduce((sum, { length }) => sum + length, 0);
  assert(
    buffered === receiver._bufferedBytes,
    `${buffered} bytes buffered, ${receiver._bufferedBytes} counted`,
  );
  assert(receiver._fragmented !== 0 || _fragments.length === 0, 'fragments without a message');
}

/** Each as one frame, so that the limit on fragments counts them again. */
function finishedFragments(receiver: ReceiverState): Buffer[] {
  const count = finishedCount(receiver);
  const frames: Buffer[] = [];
  for (let i = 0; i < count; i += 1) {
    // Empty frames may have stood anywhere between the others: it makes no difference to the message.
    const payload = receiver._fragments[i] ?? EMPTY;
    const opcode = i === 0 ? receiver._fragmented : CONTINUATION;
    frames.push(
      frameHeader({ fin: false, opcode, length: payload.length }),
      Buffer.alloc(KEY_BYTES),
      payload,
    );
  }
  return frames;
}

/**
 * Without a limit on fragments ws does not count the empty ones. None of them is missed, but a message that has begun with
 * nothing else still has to have begun.
 */
function finishedCount(receiver: ReceiverState): number {
  if (receiver._fragmented === 0) return 0;
  if (receiver._maxFragments > 0) return receiver._numFragments;
  const dataUnderWay = receiver._state !== GET_INFO && receiver._opcode < CLOSE;
  return Math.max(receiver._fragments.length, dataUnderWay ? 0 : 1);
}

function frameUnderWay(receiver: ReceiverState): Buffer {
  const { _state, _fin: fin, _payloadLength: length } = receiver;
  if (_state === GET_INFO) return EMPTY;
  const opcode = opcodeOnTheWire(receiver);
  if (_state === GET_PAYLOAD_LENGTH_16 || _state === GET_PAYLOAD_LENGTH_64) {
    return Buffer.from([firstByte(fin, opcode), MASKED | length]);
  }
  const header = frameHeader({ fin, opcode, length });
  return _state === GET_DATA ? Buffer.concat([header, receiver._mask ?? EMPTY]) : header;
}

function opcodeOnTheWire(receiver: ReceiverState): number {
  const isControl = receiver._opcode >= CLOSE;
  return !isControl && finishedCount(receiver) > 0 ? CONTINUATION : receiver._opcode;
}

function frameHeader({ fin, opcode, length }: { fin: boolean; opcode: number; length: number }): Buffer {
  const first = firstByte(fin, opcode);
  if (length < LENGTH_16) return Buffer.from([first, MASKED | length]);
  if (length < 65_536) {
    const header = Buffer.from([first, MASKED | LENGTH_16, 0, 0]);
    header.writeUInt16BE(length, 2);
    return header;
  }
  const header = Buffer.alloc(10);
  header[0] = first;
  header[1] = MASKED | LENGTH_64;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

function firstByte(fin: boolean, opcode: number): number {
  return (fin ? FIN : 0) | opcode;
}
