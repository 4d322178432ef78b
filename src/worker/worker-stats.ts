/** What this Worker has counted since it started. Plain numbers: everybody may raise them, `server status` and metrics read them. */
export interface WorkerStats {
  /** Connections that were ever opened. */
  accepted: number;
  closed: number;
  /** Commands over WebSocket and calls over HTTP. */
  requests: number;
  /** Messages written to a socket, one per message and socket. */
  pushes: number;
  /** Messages whose state an acknowledgement changed. */
  acks: number;
  /** Live copies left out because their reader was slow. */
  dropped: number;
  /** Connections closed because their reader was too slow. */
  slowClosed: number;
  /** Connections closed because nothing was heard or said for too long. */
  idleClosed: number;
  /** Connections cut because nothing came from the client after it was asked. */
  lostCut: number;
}

export function createWorkerStats(): WorkerStats {
  return {
    accepted: 0,
    closed: 0,
    requests: 0,
    pushes: 0,
    acks: 0,
    dropped: 0,
    slowClosed: 0,
    idleClosed: 0,
    lostCut: 0,
  };
}
