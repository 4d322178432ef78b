/** A control socket in the place of a master's: answers each command with what the test says. */
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { onTestFinished } from 'vitest';

export interface ControlRequest {
  readonly cmd: string;
  readonly args: unknown;
}

/** @returns the requests, as they come. */
export async function controlServer(
  socketPath: string,
  answers: Readonly<Record<string, readonly unknown[]>>,
): Promise<ControlRequest[]> {
  mkdirSync(path.dirname(socketPath), { recursive: true });
  const requests: ControlRequest[] = [];
  const server = createServer((socket) => {
    socket.on('data', (line) => {
      const { cmd, args } = JSON.parse(String(line)) as ControlRequest;
      requests.push({ cmd, args });
      for (const answer of answers[cmd] ?? []) socket.write(`${JSON.stringify(answer)}\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  onTestFinished(() => void server.close());
  return requests;
}
