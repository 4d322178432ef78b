/**
 * The other end of systemd's notify protocol: a real datagram socket, each datagram as one text. Node cannot open such a
 * socket, so a few lines of Python do. Descriptors that come along (the barrier of systemd-notify) are closed by not
 * being taken, which is what the sender waits for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

const RECEIVER = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('"open"', flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`;
const WAIT_MS = 20_000;

export class NotifySocket {
  readonly path: string;
  /** Every notice so far, without the barriers. */
  readonly notices: string[] = [];
  readonly #receiver: ChildProcess;
  readonly #folder: string;
  #changed: () => void = () => {};

  private constructor(receiver: ChildProcess, folder: string, socketPath: string) {
    this.#receiver = receiver;
    this.#folder = folder;
    this.path = socketPath;
  }

  static async open(python: string): Promise<NotifySocket> {
    const folder = mkdtempSync(path.join(tmpdir(), 'spush-'));
    const socketPath = path.join(folder, 'notify');
    const receiver = spawn(python, ['-c', RECEIVER, socketPath], { stdio: ['ignore', 'pipe', 'inherit'] });
    const socket = new NotifySocket(receiver, folder, socketPath);
    await new Promise<void>((resolve, reject) => {
      receiver.once('error', reject);
      receiver.once('exit', () => reject(new Error('the receiver of notices has ended')));
      createInterface({ input: receiver.stdout ?? process.stdin }).on('line', (line) => {
        const text = JSON.parse(line) as string;
        if (text === 'open') resolve();
        else if (!text.startsWith('BARRIER=')) socket.notices.push(text);
        socket.#changed();
      });
    });
    return socket;
  }

  /** Resolves when a notice has this line. */
  async until(line: string): Promise<string> {
    return (await this.untilCount(line, 1))[0] ?? '';
  }

  /** Resolves when so many notices have this line. */
  async untilCount(line: string, count: number): Promise<string[]> {
    const found = (): string[] => this.notices.filter((notice) => notice.split('\n').includes(line));
    if (found().length < count) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`waited ${WAIT_MS} ms for ${line}; got ${JSON.stringify(this.notices)}`)),
          WAIT_MS,
        );
        this.#changed = () => {
          if (found().length < count) return;
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return found();
  }

  close(): void {
    this.#receiver.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
