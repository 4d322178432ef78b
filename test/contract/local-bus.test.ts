/** LocalBus through the contract, over the master's own relay. */
import { onTestFinished } from 'vitest';
import { askWorkers } from '../../src/master/relay/ask-relay.js';
import { BusRelay } from '../../src/master/relay/bus-relay.js';
import { LocalBus, type LocalBusOptions } from '../../src/platform/bus/local-bus.js';
import type { BusEvent } from '../../src/shared/protocol/bus-events.js';
import type { ToMaster } from '../../src/shared/protocol/ipc.js';
import { recordedLog } from '../support/recorded-log.js';
import { type BusMember, type BusWorld, busContract, type JoinOptions } from './bus-contract.js';

interface Joined extends BusMember {
  readonly bus: LocalBus;
  readonly cut: { is: boolean };
  readonly answer: JoinOptions['answer'] | undefined;
}

/** What the master and the channel to it do, in one process. */
function localWorld(): BusWorld {
  const log = recordedLog();
  const relay = new BusRelay(log);
  const joined: Joined[] = [];
  return {
    async join({ answer } = {}) {
      const events: BusEvent[] = [];
      let gaps = 0;
      const cut = { is: false };
      const member = {
        name: `worker.${joined.length}`,
        holdsSockets: true,
        peer: {
          note(name: 'bus' | 'bus.gap', args: unknown, flushed?: () => void) {
            setImmediate(() => {
              if (name === 'bus.gap') bus.gap();
              else if (!cut.is) bus.receive((args as { texts: string[] }).texts);
              flushed?.();
            });
          },
        },
      };
      const calls = {
        'bus.follow': async ({ uid }: { uid: number }) => relay.follow(member, uid),
        'bus.probe': () => relay.probe(member),
        'workers.ask': (args: ToMaster['calls']['workers.ask']['args']) =>
          askWorkers({ workers: joined.flatMap(asked), log }, args),
      };
      const peer = {
        call: (name: keyof typeof calls, args: never) => calls[name](args),
        note(name: string, args: never, flushed?: () => void) {
          if (name === 'bus') relay.carry(member, (args as ToMaster['notes']['bus']).parcels);
          if (name === 'bus.unfollow') relay.unfollow(member, (args as { uid: number }).uid);
          if (flushed) setImmediate(flushed);
        },
      } as unknown as LocalBusOptions['peer'];
      const listener = {
        onEvent: (event: BusEvent) => void events.push(event),
        onGap: () => {
          gaps += 1;
        },
      };
      const bus = new LocalBus({ peer, listener, log });
      relay.attach(member);
      onTestFinished(() => bus.close());
      const one: Joined = { name: member.name, bus, events, gaps: () => gaps, cut, answer };
      joined.push(one);
      return one;
    },
    async interrupt(member, meanwhile) {
      const one = joined.find((known) => known === member);
      if (!one) throw new Error('not of this world');
      one.cut.is = true;
      await meanwhile();
      await new Promise((resolve) => setTimeout(resolve, 20));
      one.cut.is = false;
      one.bus.gap();
    },
    probesFollowEvents: true,
  };
}

function asked({ name, answer }: Joined) {
  if (!answer) return [];
  const call = (_name: string, { question, args }: never, { deadlineMs }: { deadlineMs: number }) =>
    Promise.race([
      Promise.resolve(answer(question, args)),
      new Promise((_, reject) => setTimeout(() => reject(new Error('late')), deadlineMs)),
    ]);
  return [{ name, peer: { call } as never }];
}

let world: BusWorld | null = null;

busContract('LocalBus', () => {
  if (world) return world;
  world = localWorld();
  onTestFinished(() => {
    world = null;
  });
  return world;
});
