import { expect, test } from 'vitest';
import { nodeVitals } from '../../../src/master/vitals.js';

function vitals(readyWorkers: number, isStopping = false, openWorkers = readyWorkers) {
  return nodeVitals({
    readyWorkers: () => readyWorkers,
    workers: () => 4,
    openWorkers: () => openWorkers,
    connections: () => 1234,
    isStopping: () => isStopping,
  });
}

test('a node is well with one Worker that is ready', () => {
  expect(vitals(1)).toEqual({ healthy: true, status: '1 of 4 Workers ready, 1234 connections' });
});

test('a Worker that is ready and answers no connection counts for nothing', () => {
  expect(vitals(2, false, 1).healthy).toBe(true);
  expect(vitals(2, false, 0)).toEqual({
    healthy: false,
    status: '2 of 4 Workers ready, 2 of them answer nobody, 1234 connections',
  });
});

test('a node without any is not', () => {
  expect(vitals(0)).toEqual({ healthy: false, status: '0 of 4 Workers ready, 1234 connections' });
});

test('a stop is no reason to start again', () => {
  expect(vitals(0, true)).toEqual({ healthy: true, status: 'stopping' });
});
