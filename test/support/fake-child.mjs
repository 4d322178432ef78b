/**
 * A child of the master that does nothing but the protocol, so that the master can be tested by itself.
 * FAKE_CHILD_FAILS and FAKE_CHILD_STAYS hold the title of one that cannot start, or does not stop.
 */
const [, , , , title] = process.argv;
process.title = title;

const answers = {
  stats: { connections: 1, sessions: 0, accepted: 1, closed: 0, requests: 2, pushes: 0, acks: 0 },
  troubles: { now: [], failures: {} },
  pendingCount: { pending: 5 },
  'crontab.run': { result: 'ran' },
  'crontab.show': { jobs: [] },
};
const note = (name, args) => process.send({ k: 'note', n: name, a: args });
const stays = process.env.FAKE_CHILD_STAYS === title;

process.on('SIGINT', () => {});
process.on('SIGTERM', () => {
  if (!stays) process.exit(0);
});
process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  if (message.k === 'note' && message.n === 'init') {
    if (process.env.FAKE_CHILD_FAILS === title) {
      process.send({ k: 'note', n: 'failed', a: { code: 'PORT_TAKEN', message: 'the port is taken' } }, () =>
        process.exit(1),
      );
      return;
    }
    note('ready', { version: '1.2.3' });
  }
  if (message.k !== 'call') return;
  if (message.n === 'stop') {
    note('waiting', { what: '2 commits' });
    if (!stays) process.send({ k: 'ok', i: message.i, r: {} }, () => process.exit(0));
    return;
  }
  process.send({ k: 'ok', i: message.i, r: answers[message.n] });
});
note('hello', {});
