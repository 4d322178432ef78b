/** Bytes of a client: frames as RFC 6455 §5.2 draws them, masked, also such as a careful client would not send. */
export interface ClientFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly key: readonly [number, number, number, number];
  readonly payload: Buffer;
  /** A length field that is longer than it needs to be. */
  readonly wide?: 16 | 64 | null;
}

export function clientFrame({ fin, opcode, key, payload, wide = null }: ClientFrame): Buffer {
  const { length } = payload;
  const first = (fin ? 0x80 : 0) | opcode;
  let header = Buffer.from([first, 0x80 | length]);
  if (length >= 65_536 || wide === 64) {
    header = Buffer.alloc(10);
    header[0] = first;
    header[1] = 0x80 | 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  } else if (length >= 126 || wide === 16) {
    header = Buffer.from([first, 0x80 | 126, length >> 8, length & 255]);
  }
  const masked = Buffer.from(payload);
  for (let i = 0; i < length; i += 1) masked[i] = (masked[i] ?? 0) ^ (key[i % 4] ?? 0);
  return Buffer.concat([header, Buffer.from(key), masked]);
}

export function textOfClient(text: string): Buffer {
  return clientFrame({ fin: true, opcode: 1, key: [7, 77, 177, 217], payload: Buffer.from(text) });
}
