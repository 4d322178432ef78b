import { EventEmitter } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { onSignals } from '../../../src/master/signals.js';
import { recordedLog } from '../../support/recorded-log.js';

function setUp(terminal = false) {
  const signals = new EventEmitter();
  const stop = { stop: vi.fn(async (): Promise<string[]> => []), hurry: vi.fn(), isUnderWay: false };
  const worker = { peer: { note: vi.fn() } };
  const reopenLogs = vi.fn();
  const forget = onSignals({
    stop,
    workers: () => [worker],
    signals,
    terminal,
    reopenLogs,
    log: recordedLog(),
  });
  return { signals, stop, worker, reopenLogs, forget };
}

describe('signals to the master', () => {
  it.each(['SIGTERM', 'SIGINT'])('%s stops in order', (signal) => {
    const { signals, stop } = setUp();
    signals.emit(signal);
    expect(stop.stop).toHaveBeenCalledExactlyOnceWith(signal);
  });

  it('a second SIGINT waits for nobody, another SIGTERM does', () => {
    const { signals, stop } = setUp();
    stop.isUnderWay = true;
    signals.emit('SIGTERM');
    expect(stop.hurry).not.toHaveBeenCalled();
    signals.emit('SIGINT');
    expect(stop.hurry).toHaveBeenCalledOnce();
  });

  it('SIGHUP lets the Workers read their certificates again', () => {
    const { signals, stop, worker } = setUp();
    signals.emit('SIGHUP');
    expect(worker.peer.note).toHaveBeenCalledExactlyOnceWith('tls.reload', {});
    expect(stop.stop).not.toHaveBeenCalled();
  });

  it('SIGHUP stops when it says that the terminal has gone', () => {
    const { signals, stop, worker } = setUp(true);
    signals.emit('SIGHUP');
    expect(stop.stop).toHaveBeenCalledOnce();
    expect(worker.peer.note).not.toHaveBeenCalled();
  });

  it.each(['SIGUSR1', 'SIGUSR2'])('%s opens the logs anew and stops nothing', (signal) => {
    const { signals, stop, reopenLogs } = setUp();
    signals.emit(signal);
    expect(reopenLogs).toHaveBeenCalledOnce();
    expect(stop.stop).not.toHaveBeenCalled();
  });

  it('are no longer heard once the master is done', () => {
    const { signals, stop, forget } = setUp();
    forget();
    signals.emit('SIGTERM');
    expect(stop.stop).not.toHaveBeenCalled();
  });
});
