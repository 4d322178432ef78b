/** Close codes of the WebSocket, and whether a client may come back by itself. */
export const CLOSE = {
  serverStops: 1001,
  policy: 1008,
  tooBig: 1009,
  restart: 1012,
  tryLater: 1013,
  idle: 4001,
  slowReader: 4002,
  kicked: 4003,
  replaced: 4004,
} as const;

export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

const MAY_RECONNECT: ReadonlySet<number> = new Set([
  CLOSE.serverStops,
  CLOSE.restart,
  CLOSE.tryLater,
  CLOSE.idle,
  CLOSE.slowReader,
]);

export function mayReconnect(code: number): boolean {
  return MAY_RECONNECT.has(code);
}
