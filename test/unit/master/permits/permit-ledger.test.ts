import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { PermitLedger } from '../../../../src/master/permits/permit-ledger.js';

function setUp(limit: number) {
  const announce = vi.fn<(scarce: boolean) => void>();
  const awaitRecall = vi.fn<() => void>();
  const ledger = new PermitLedger<string>(limit, { announce, awaitRecall });
  const granted: string[] = [];
  const want = (holder: string, n: number): void => {
    ledger.want(holder, n, (got) => granted.push(`${holder}:${got}`));
  };
  return { ledger, announce, awaitRecall, granted, want };
}

describe('PermitLedger', () => {
  it('grants what is asked for while there are plenty', () => {
    const { ledger, granted, want, announce } = setUp(100);
    want('a', 33);
    want('b', 33);
    expect(granted).toEqual(['a:33', 'b:33']);
    expect(ledger.free).toBe(34);
    expect(announce).not.toHaveBeenCalled();
  });

  it('grants the rest, then recalls idle permits and lets the asker wait for them', () => {
    const { granted, want, announce, awaitRecall, ledger } = setUp(40);
    want('a', 33);
    want('b', 33);
    expect(granted).toEqual(['a:33', 'b:7']);
    want('b', 33);
    expect(announce).toHaveBeenCalledExactlyOnceWith(true);
    expect(awaitRecall).toHaveBeenCalledOnce();
    expect(granted).toHaveLength(2);
    ledger.giveBack('a', 3);
    expect(granted.at(-1)).toBe('b:3');
  });

  it('answers 0 when the recall brings nothing, and at once from then on', () => {
    const { granted, want, ledger, announce } = setUp(10);
    want('a', 10);
    want('b', 5);
    ledger.recallOver();
    want('b', 5);
    expect(granted).toEqual(['a:10', 'b:0', 'b:0']);
    expect(announce).toHaveBeenCalledOnce();
  });

  it('books a permit from one holder to the other', () => {
    const { ledger, want } = setUp(10);
    want('a', 4);
    ledger.move('a', 'b');
    expect([ledger.heldBy('a'), ledger.heldBy('b'), ledger.free]).toEqual([3, 1, 6]);
  });

  it('books one to a new holder whose connection is there, even above the limit', () => {
    const { ledger, want, granted, announce } = setUp(4);
    want('a', 4);
    ledger.gone('a');
    want('c', 4);
    ledger.move('a', 'b');
    expect([ledger.heldBy('b'), ledger.heldBy('c'), ledger.free]).toEqual([1, 4, -1]);
    expect(announce).toHaveBeenLastCalledWith(true);
    ledger.giveBack('b', 1);
    ledger.recallOver();
    want('d', 1);
    expect(granted.at(-1)).toBe('d:0');
    ledger.giveBack('c', 1);
    want('d', 1);
    expect(granted.at(-1)).toBe('d:1');
  });

  it('serves those who wait in order', () => {
    const { granted, want, ledger } = setUp(4);
    want('a', 4);
    want('b', 3);
    want('c', 1);
    ledger.giveBack('a', 2);
    ledger.giveBack('a', 1);
    expect(granted).toEqual(['a:4', 'b:2', 'c:1']);
  });

  it('says that permits are plenty again only when really many are free', () => {
    const { want, ledger, announce } = setUp(80);
    want('a', 80);
    want('b', 1);
    ledger.recallOver();
    ledger.giveBack('a', 9);
    expect(announce).toHaveBeenCalledTimes(1);
    ledger.giveBack('a', 1);
    expect(announce).toHaveBeenLastCalledWith(false);
    expect(ledger.scarce).toBe(false);
  });

  it('frees what a dead holder had, and forgets what it asked for', () => {
    const { granted, want, ledger } = setUp(10);
    want('a', 10);
    want('b', 4);
    want('c', 6);
    ledger.gone('b');
    ledger.gone('a');
    expect(granted).toEqual(['a:10', 'b:0', 'c:6']);
    expect(ledger.free).toBe(4);
  });

  it('takes nothing back when the limit is lowered, and grants nothing until enough have gone', () => {
    const { granted, want, ledger, announce } = setUp(10);
    want('a', 10);
    ledger.setLimit(4);
    expect(announce).toHaveBeenLastCalledWith(true);
    ledger.recallOver();
    expect(ledger.heldBy('a')).toBe(10);
    ledger.giveBack('a', 6);
    want('b', 1);
    expect(granted.at(-1)).toBe('b:0');
    ledger.giveBack('a', 1);
    want('b', 5);
    expect(granted.at(-1)).toBe('b:1');
  });

  it('serves those who wait when the limit is raised', () => {
    const { granted, want, ledger } = setUp(1);
    want('a', 1);
    want('b', 5);
    ledger.setLimit(3);
    expect(granted).toEqual(['a:1', 'b:2']);
  });

  it('books no more back than was held', () => {
    const { want, ledger } = setUp(10);
    want('a', 2);
    ledger.giveBack('a', 5);
    ledger.giveBack('stranger', 5);
    expect(ledger.free).toBe(10);
  });

  it('never holds more than its limit by a grant, loses none, and answers everybody', () => {
    const holder = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      fc.record({ do: fc.constant('want' as const), holder, n: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ do: fc.constant('giveBack' as const), holder, n: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ do: fc.constant('gone' as const), holder }),
      fc.record({ do: fc.constant('limit' as const), n: fc.integer({ min: 1, max: 80 }) }),
      fc.record({ do: fc.constant('recallOver' as const) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), fc.array(step, { maxLength: 80 }), (limit, steps) => {
        const announced: boolean[] = [];
        const ledger = new PermitLedger<string>(limit, {
          announce: (scarce) => announced.push(scarce),
          awaitRecall() {},
        });
        const held = new Map<string, number>();
        const sum = (): number => [...held.values()].reduce((a, b) => a + b, 0);
        let unanswered = 0;
        let ceiling = limit;
        for (const next of steps) {
          switch (next.do) {
            case 'want': {
              unanswered += 1;
              ledger.want(next.holder, next.n, (granted) => {
                unanswered -= 1;
                expect(granted).toBeLessThanOrEqual(next.n);
                held.set(next.holder, (held.get(next.holder) ?? 0) + granted);
              });
              break;
            }
            case 'giveBack': {
              const n = Math.min(next.n, held.get(next.holder) ?? 0);
              held.set(next.holder, (held.get(next.holder) ?? 0) - n);
              if (n > 0) ledger.giveBack(next.holder, n);
              break;
            }
            case 'gone':
              held.set(next.holder, 0);
              ledger.gone(next.holder);
              break;
            case 'limit':
              ledger.setLimit(next.n);
              break;
            case 'recallOver':
              ledger.recallOver();
              break;
          }
          // Lowered: what is held may stay, but nothing is added.
          ceiling = Math.max(ledger.limit, Math.min(ceiling, sum()));
          expect(sum()).toBeLessThanOrEqual(ceiling);
          expect(ledger.limit - ledger.free).toBe(sum());
          if (unanswered > 0) expect(ledger.free).toBeLessThanOrEqual(0);
        }
        ledger.recallOver();
        expect(unanswered).toBe(0);
        for (const [i, scarce] of announced.entries()) expect(scarce).toBe(i % 2 === 0);
      }),
    );
  });
});
