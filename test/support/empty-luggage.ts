/** What goes with a session of a connection that has nothing under way. */
import type { FakeClock } from './fake-clock.js';

export function emptyLuggage(clock: FakeClock) {
  return {
    loop: { rate: { tokens: 1, filledAt: clock.moment() }, refused: 0 },
    holdsVisitorPlace: false,
    replay: null,
    owed: [],
    head: Buffer.alloc(0),
    leftAt: clock.moment(),
  };
}
