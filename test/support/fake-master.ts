/**
 * A process that behaves like a master as far as the command line can see: title, instance files, control socket, an
 * open port, children. How it takes a stop is told by its manner.
 */

import { writeInstance } from '../../src/platform/instance/instance-file.js';
import { identityOf } from '../../src/platform/instance/process-identity.js';
import type { ControlData } from '../../src/shared/protocol/control-commands.js';
import { type RunningProgram, runProgram } from './programs.js';

/** obedient: stops when asked; mute: answers nothing, ends on SIGTERM; stubborn: does neither; slow: is at it for ever. */
export type Manner = 'obedient' | 'mute' | 'stubborn' | 'slow';

export interface FakeMaster extends RunningProgram {
  readonly port: number;
  readonly children: readonly number[];
}

const PROGRAM = `
  const [socket, manner, told] = process.argv.slice(1);
  const { createServer } = require('node:net');
  process.title = 'spush.websocket.Master';
  if (manner === 'stubborn') process.on('SIGTERM', () => {});
  const child = "process.title = 'spush.websocket.Worker.0'; process.on('disconnect', () => process.exit()); process.send('here');";
  const { spawn } = require('node:child_process');
  const worker = spawn(process.execPath, ['-e', child], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  process.on('exit', () => worker.kill('SIGKILL'));
  process.on('SIGTERM', () => manner !== 'stubborn' && process.exit());
  const say = (connection, message) => connection.write(JSON.stringify({ id: 1, ...message }) + '\\n');
  const control = createServer((connection) => {
    connection.on('error', () => {});
    connection.on('data', (data) => {
      if (manner === 'mute' || manner === 'stubborn') return;
      const { cmd } = JSON.parse(data);
      if (cmd === 'ping') say(connection, { ok: true, data: { pid: process.pid, mode: 'websocket', ...JSON.parse(told) } });
      if (cmd !== 'server.stop') return;
      say(connection, { event: { text: 'waiting for 3 tasks' } });
      if (manner === 'slow') return;
      say(connection, { ok: true, data: { pid: process.pid } });
      connection.end(() => process.exit());
    });
  });
  const http = createServer();
  worker.once('message', () => {
    control.listen(socket, () => {
      http.listen(0, '127.0.0.1', () => {
        const { port } = http.address();
        // On two addresses, as a master of PUSHENV 0.
        createServer().listen(port, '127.0.0.2', () => console.log(port + ' ' + worker.pid));
      });
    });
  });
`;

/** @param told beside pid and mode, in the answer to `ping`. */
export async function startFakeMaster(
  paths: { readonly pidFile: string; readonly socket: string; readonly home: string },
  manner: Manner,
  told: Partial<ControlData<'ping'>> = {},
): Promise<FakeMaster> {
  const program = await runProgram(PROGRAM, { args: [paths.socket, manner, JSON.stringify(told)] });
  const [port, worker] = (await program.line()).split(' ').map(Number);
  const owner = await identityOf(program.pid);
  if (owner === null || port === undefined || worker === undefined) throw new Error('the fake master ended');
  await writeInstance(paths, { owner });
  return { ...program, port, children: [worker] };
}
