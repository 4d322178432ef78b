import { describe, expect, test } from 'vitest';
import { readableLine } from '../../../../src/platform/log/readable-line.js';

const TIME = new Date(2026, 10, 23, 1, 2, 3, 45).toISOString();

describe('a log line for people', () => {
  test('is time, level, process, event and fields', () => {
    const line = JSON.stringify({
      level: 'info',
      time: TIME,
      process: 'spush.websocket.Worker.0',
      pid: 7,
      file: '/a/b c',
      n: 3,
      event: 'store.opened',
    });
    expect(readableLine(line, false)).toBe('01:02:03.045 info  Worker.0 store.opened file="/a/b c" n=3\n');
  });

  test('names other processes as short as its own', () => {
    const line = JSON.stringify({
      level: 'info',
      time: TIME,
      process: 'spush.a.Master',
      child: 'spush.a.TaskWorker.1',
      file: '/srv/spush.a.Master',
      event: 'child.ready',
    });
    expect(readableLine(line, false)).toBe(
      '01:02:03.045 info  Master child.ready child=TaskWorker.1 file=/srv/spush.a.Master\n',
    );
  });

  test('is coloured by level when asked', () => {
    const line = JSON.stringify({ level: 'error', time: TIME, process: 'spush.a.b.Master', event: 'x' });
    expect(readableLine(line, true)).toBe('\u001b[31m01:02:03.045 error Master x\u001b[0m\n');
  });

  test('shows no control bytes of a field', () => {
    const line = JSON.stringify({ level: 'warn', time: TIME, process: 'p', event: 'x', text: '\u001b[2J\n' });
    expect(readableLine(line, false)).not.toContain('\u001b');
    expect(readableLine(line, false).split('\n')).toHaveLength(2);
  });

  test.each(['not JSON\n', '7', 'null'])('of something else is passed on: %j', (line) => {
    expect(readableLine(line, true)).toBe(line);
  });
});
