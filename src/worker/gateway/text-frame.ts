/**
 * A text as one finished WebSocket frame (RFC 6455 §5.2: FIN, opcode 1, no mask, as a server sends it).
 * Built once per message and written to every socket that gets it.
 */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  if (length < 126) {
    const frame = Buffer.allocUnsafe(2 + length);
    frame[0] = 0x81;
    frame[1] = length;
    frame.write(text, 2);
    return frame;
  }
  if (length < 65_536) {
    const frame = Buffer.allocUnsafe(4 + length);
    frame[0] = 0x81;
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
    frame.write(text, 4);
    return frame;
  }
  const frame = Buffer.allocUnsafe(10 + length);
  frame[0] = 0x81;
  frame[1] = 127;
  frame.writeBigUInt64BE(BigInt(length), 2);
  frame.write(text, 10);
  return frame;
}
