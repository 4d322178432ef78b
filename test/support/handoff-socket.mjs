/**
 * One WebSocket connection over node:net with framing of its own, so that a test owns every byte: it can send a frame byte
 * by byte, knows its local port, and counts each frame that comes. It judges while it listens: whatever a server must never
 * do (an answer twice, out of order, for nothing; a push twice; a close) becomes a fault in words.
 *
 * Kinds: `plain` writes whole frames, `bytes` one byte at a time without a rest between frames, `large` messages near
 * 16 KiB in pieces, `fragments` messages in two fragments with a protocol ping between them.
 */
import { connect } from 'node:net';

/** Faults of one socket that are kept in words; more are counted. */
const FAULTS_MAX = 20;
const LARGE_PAD = 'x'.repeat(16_000);
/** Not zero, so that a byte that is unmasked twice or never shows. */
const MASK = Buffer.from([0x5a, 0xc3, 0x17, 0x99]);
const OPEN_MS = 30_000;
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Milliseconds of a clock that all processes of this machine share. */
export function sharedNow() {
  return Number(process.hrtime.bigint()) / 1e6;
}

export class HandoffSocket {
  /** Sockets whose next piece is due with the next beat of `beat`. */
  static #sending = new Set();

  /** Writes the next piece of every frame that is sent in pieces. To be called every few milliseconds. */
  static beat() {
    for (const socket of HandoffSocket.#sending) socket.#sendPiece();
  }

  /** @param spec {n, uid, device, channel, kind, source} */
  constructor(spec) {
    this.spec = spec;
    this.local = null;
    this.session = null;
    this.pingsSent = 0;
    this.pingsAnswered = 0;
    this.pongsDue = [];
    this.pongs = 0;
    this.frames = 0;
    this.more = 0;
    /** Message id → how often it was seen. */
    this.items = new Map();
    this.faults = [];
    this.faultCount = 0;
    this.closed = null;
    /** Worst waits of the running period, ms; null: none was measured. */
    this.pingPause = null;
    this.pushPause = null;
    this.pingWaits = [];
    this.pings = false;
    this.closing = false;
    this.toAck = [];
    this.#lastCommand = 0;
  }

  #socket = null;
  #buffer = Buffer.alloc(0);
  #upgraded = false;
  #closeCode = null;
  #lastCommand;
  /** Number of a ping → when its last byte was sent; in the order of sending. */
  #waiting = new Map();
  /** Commands other than pings: id → resolve. */
  #asked = new Map();
  /** Acknowledgements without an answer yet. */
  #acks = new Map();
  /** Pieces to be written, each {bytes, sent?}. */
  #pieces = [];
  #onOpen = null;

  /** Resolves when it is logged in. */
  async open({ host, port }) {
    const { spec } = this;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name}: not open in ${OPEN_MS} ms`)), OPEN_MS);
      this.#onOpen = (error) => {
        clearTimeout(timer);
        this.#onOpen = null;
        if (error) reject(error);
        else resolve();
      };
      const socket = connect({ host, port, localAddress: spec.source });
      this.#socket = socket;
      socket.setNoDelay(true);
      socket.on('connect', () => {
        this.local = `${socket.localAddress}:${socket.localPort}`;
        socket.write(
          `GET / HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
            'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
        );
      });
      socket.on('data', (data) => this.#onData(data));
      socket.on('error', (error) => {
        this.error = error.message;
      });
      socket.on('end', () => {
        this.ended = true;
      });
      socket.on('close', () => this.#onClosed());
    });
    const key = { [spec.channel === 'app' ? 'token' : 'ukey']: `dev-${spec.uid}` };
    const reply = await this.ask('login', { ...key, ack: true, device: spec.device });
    if (reply.code !== 200) throw new Error(`${this.name}: login answered ${reply.code} ${reply.msg}`);
  }

  get name() {
    const { n, uid, device, kind } = this.spec;
    return `socket ${n} (${kind}, user ${uid}, ${device}, ${this.local ?? 'not connected'})`;
  }

  /** Pings sent and not answered. */
  get outstanding() {
    return [...this.#waiting.keys()];
  }

  /** True while something it has begun to send is not wholly sent. */
  get inPieces() {
    return this.#pieces.length > 0;
  }

  get unanswered() {
    return this.#waiting.size + this.#asked.size + this.#acks.size + this.pongsDue.length;
  }

  ping() {
    if (this.closed || this.closing) return;
    const { kind } = this.spec;
    if (kind !== 'plain' && this.#pieces.length > 0) return; // its last one is still on its way
    this.pingsSent += 1;
    const number = this.pingsSent;
    const body = kind === 'large' ? { pad: LARGE_PAD } : undefined;
    const text = commandText('ping', String(number), body);
    const sent = () => {
      this.#waiting.set(number, sharedNow());
    };
    if (kind === 'fragments') this.#putFragments(text, number, sent);
    else this.#put(frame(TEXT, Buffer.from(text)), sent);
  }

  /** Sends a command, in its place among what is being sent, and answers its reply. */
  ask(cmd, body) {
    return new Promise((resolve, reject) => {
      if (this.closed) {
        reject(new Error(`${this.name} is closed`));
        return;
      }
      this.#lastCommand += 1;
      const id = `a${this.#lastCommand}`;
      this.#asked.set(id, { resolve, reject });
      this.#put(frame(TEXT, Buffer.from(commandText(cmd, id, body))));
    });
  }

  /** Acknowledges what has come since the last time. */
  flushAcks() {
    while (this.toAck.length > 0 && !this.closed && !this.closing) {
      // A socket that sends byte by byte would be busy with nothing else.
      const ids = this.toAck.splice(0, this.spec.kind === 'bytes' ? 10 : 500);
      this.#lastCommand += 1;
      const id = `k${this.#lastCommand}`;
      this.#acks.set(id, ids.length);
      this.#put(frame(TEXT, Buffer.from(commandText('ack', id, { ids }))));
    }
  }

  /** Ends the running period: the longest waits in it, those that go on included. */
  takePeriod() {
    const now = sharedNow();
    if (!this.closed) {
      for (const at of this.#waiting.values()) this.pingPause = Math.max(this.pingPause ?? 0, now - at);
    }
    const period = { n: this.spec.n, ping: this.pingPause, push: this.pushPause, pings: this.pingWaits };
    this.pingPause = null;
    this.pushPause = null;
    this.pingWaits = [];
    return period;
  }

  report() {
    const { spec, local, session, pingsSent, pingsAnswered, pongs, frames, more, items, closed } = this;
    return {
      ...spec,
      local,
      session,
      pingsSent,
      pingsAnswered,
      outstanding: this.outstanding,
      unsent: this.#pieces.length,
      unansweredAcks: this.#acks.size,
      pongs,
      pongsMissing: this.pongsDue.length,
      frames,
      more,
      items: [...items],
      faults: this.faults,
      faultCount: this.faultCount,
      closed,
    };
  }

  /** Goes away as a client does, with a close frame. */
  close() {
    if (this.closed) return;
    this.closing = true;
    this.#pieces = [];
    HandoffSocket.#sending.delete(this);
    this.#socket.end(frame(CLOSE, Buffer.from([0x03, 0xe8])));
  }

  /** Vanishes, with a reset. */
  vanish() {
    this.closing = true;
    HandoffSocket.#sending.delete(this);
    this.#socket?.resetAndDestroy();
  }

  #fault(text) {
    this.faultCount += 1;
    if (this.faults.length < FAULTS_MAX) this.faults.push(text);
  }

  #put(bytes, sent) {
    const { kind } = this.spec;
    if (kind === 'plain') {
      this.#socket.write(bytes);
      sent?.();
      return;
    }
    if (kind === 'bytes') {
      for (let at = 0; at < bytes.length; at += 1) this.#pieces.push({ bytes: bytes.subarray(at, at + 1) });
    } else {
      // Cut in its header, and somewhere in the middle.
      const middle = 3 + ((bytes.length * 7) % Math.max(1, bytes.length - 3));
      this.#pieces.push({ bytes: bytes.subarray(0, 3) });
      if (middle > 3) this.#pieces.push({ bytes: bytes.subarray(3, middle) });
      this.#pieces.push({ bytes: bytes.subarray(middle) });
    }
    if (sent) this.#pieces[this.#pieces.length - 1].sent = sent;
    HandoffSocket.#sending.add(this);
  }

  #putFragments(text, number, sent) {
    const payload = Buffer.from(text);
    const half = payload.length >> 1;
    this.#put(frame(TEXT, payload.subarray(0, half), false));
    this.#put(frame(PING, Buffer.from(`p${number}`)), () => this.pongsDue.push(`p${number}`));
    this.#put(frame(0, payload.subarray(half)), sent);
  }

  #sendPiece() {
    const piece = this.#pieces.shift();
    if (piece && !this.closed) {
      this.#socket.write(piece.bytes);
      piece.sent?.();
    }
    if (this.#pieces.length > 0) return;
    HandoffSocket.#sending.delete(this);
    // Always in the middle of a frame: whenever somebody stops reading from it, half a frame has come.
    if (this.spec.kind === 'bytes' && this.pings) this.ping();
  }

  #onData(data) {
    this.#buffer = this.#buffer.length === 0 ? data : Buffer.concat([this.#buffer, data]);
    if (!this.#upgraded) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = this.#buffer.subarray(0, end).toString();
      if (!head.startsWith('HTTP/1.1 101 ')) {
        this.#onOpen?.(new Error(`${this.name}: refused: ${head.split('\r\n', 1)[0]}`));
        this.#socket.destroy();
        return;
      }
      this.#upgraded = true;
      this.#buffer = this.#buffer.subarray(end + 4);
      this.#onOpen?.(null);
    }
    let at = 0;
    for (;;) {
      const next = readFrame(this.#buffer, at);
      if (next === null) break;
      at = next.end;
      this.#onFrame(next);
    }
    this.#buffer = this.#buffer.subarray(at);
  }

  #onFrame({ first, masked, payload }) {
    this.frames += 1;
    if (masked || (first & 0x70) !== 0)
      this.#fault(`got bytes that are no server's frame (first byte 0x${first.toString(16)})`);
    if ((first & 0x80) === 0) this.#fault('got a fragment, which spush never sends: the stream is broken');
    const opcode = first & 0x0f;
    if (opcode === TEXT) this.#onText(payload);
    else if (opcode === PONG) this.#onPong(payload.toString('latin1'));
    else if (opcode === CLOSE) {
      this.#closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      if (!this.closing) this.#socket.end(frame(CLOSE, payload.subarray(0, 2)));
    } else if (opcode === PING) {
      if (!this.closing) this.#put(frame(PONG, payload));
    } else this.#fault(`got a frame with opcode ${opcode}`);
  }

  #onText(payload) {
    let message;
    try {
      message = JSON.parse(payload.toString());
    } catch {
      this.#fault(`got a text frame that is not JSON: ${payload.toString().slice(0, 80)}`);
      return;
    }
    const { cmd, id, code, body } = message;
    if (id === '') this.#onEvent(cmd, code, message);
    else if (cmd === 'ping') this.#onPingAnswer(id, code, message);
    else if (cmd === 'ack' && id.startsWith('k')) {
      if (!this.#acks.delete(id)) this.#fault(`ack ${id} was answered twice or never sent`);
      if (code !== 200) this.#fault(`ack ${id} was answered ${code} ${message.msg}`);
    } else {
      const asked = this.#asked.get(id);
      if (asked) {
        this.#asked.delete(id);
        asked.resolve({ code, body, msg: message.msg });
      } else this.#fault(`got an answer to ${cmd} ${id}, which was answered before or never sent`);
    }
  }

  #onPingAnswer(id, code, message) {
    const number = Number(id);
    if (code !== 200) this.#fault(`ping ${id} was answered ${code} ${message.msg}`);
    const sentAt = this.#waiting.get(number);
    if (sentAt === undefined) {
      const known = Number.isInteger(number) && number >= 1 && number <= this.pingsSent;
      this.#fault(`ping ${id} was answered ${known ? 'twice' : 'and was never sent'}`);
      return;
    }
    const [due] = this.#waiting.keys();
    if (due !== number) this.#fault(`ping ${id} was answered before ping ${due}`);
    this.#waiting.delete(number);
    this.pingsAnswered += 1;
    const waited = sharedNow() - sentAt;
    this.pingWaits.push(Math.round(waited * 10) / 10);
    this.pingPause = Math.max(this.pingPause ?? 0, waited);
  }

  #onPong(text) {
    // Half a ping, and a close frame in the place of its rest: what is answered to that is nobody's business.
    if (this.closing) return;
    const due = this.pongsDue.shift();
    if (due === text) this.pongs += 1;
    else {
      this.#fault(`got pong ${JSON.stringify(text)}, expected ${due ?? 'none'}`);
      // The others are still waited for.
      if (due !== undefined) this.pongsDue.unshift(due);
      this.pongsDue = this.pongsDue.filter((other) => other !== text);
    }
  }

  #onEvent(cmd, code, message) {
    const { body } = message;
    if (cmd === 'hello') {
      if (this.session !== null) this.#fault(`got a second hello (${body.session} after ${this.session})`);
      this.session ??= body.session;
    } else if (cmd === 'push') {
      if (body.more) this.more += 1;
      for (const item of body.items) this.#onItem(item);
    } else if (cmd === 'bye') this.bye = body.reason;
    else if (cmd !== 'read') this.#fault(`got ${cmd} ${code} ${message.msg}, which nothing was sent for`);
  }

  #onItem({ id, uid, title, content }) {
    const times = (this.items.get(id) ?? 0) + 1;
    this.items.set(id, times);
    if (times > 1) this.#fault(`message ${id} (${title}) came ${times} times`);
    if (uid !== undefined && uid !== this.spec.uid)
      this.#fault(`message ${id} (${title}) is of user ${uid}, not of ${this.spec.uid}`);
    const postedAt = Number(content);
    if (postedAt > 0) this.pushPause = Math.max(this.pushPause ?? 0, sharedNow() - postedAt);
    this.toAck.push(id);
  }

  #onClosed() {
    HandoffSocket.#sending.delete(this);
    const how = this.error ?? (this.ended ? 'end of stream' : 'close');
    this.closed = { byUs: this.closing, code: this.#closeCode, how, bye: this.bye ?? null, at: sharedNow() };
    this.#onOpen?.(new Error(`${this.name}: closed before it was open: ${how}`));
    for (const { reject } of this.#asked.values()) {
      reject(new Error(`${this.name} was closed before it was answered (code ${this.#closeCode}, ${how})`));
    }
    this.#asked.clear();
  }
}

function commandText(cmd, id, body) {
  return JSON.stringify({ cmd, id, ts: Math.floor(Date.now() / 1000), body });
}

/** A masked frame of a client. */
function frame(opcode, payload, fin = true) {
  const extended = payload.length >= 126;
  const head = Buffer.alloc(extended ? 8 : 6);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = 0x80 | (extended ? 126 : payload.length);
  if (extended) head.writeUInt16BE(payload.length, 2);
  MASK.copy(head, head.length - 4);
  const masked = Buffer.from(payload);
  for (let at = 0; at < masked.length; at += 1) masked[at] ^= MASK[at & 3];
  return Buffer.concat([head, masked]);
}

/** The frame that begins at `at`, or null when it is not all there. */
function readFrame(buffer, at) {
  if (buffer.length < at + 2) return null;
  const first = buffer[at];
  const masked = (buffer[at + 1] & 0x80) !== 0;
  let length = buffer[at + 1] & 0x7f;
  let from = at + 2;
  if (length === 126) {
    if (buffer.length < from + 2) return null;
    length = buffer.readUInt16BE(from);
    from += 2;
  } else if (length === 127) {
    if (buffer.length < from + 8) return null;
    length = Number(buffer.readBigUInt64BE(from));
    from += 8;
  }
  if (masked) from += 4;
  if (buffer.length < from + length) return null;
  return { first, masked, payload: buffer.subarray(from, from + length), end: from + length };
}
