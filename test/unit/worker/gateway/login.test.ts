import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../../src/platform/log/log.js';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { CommandDeps, CommandResult } from '../../../../src/worker/gateway/commands/command-context.js';
import { login } from '../../../../src/worker/gateway/commands/login.js';
import { LoginDesk } from '../../../../src/worker/sessions/login-desk.js';
import { SessionRegistry } from '../../../../src/worker/sessions/session-registry.js';
import { UserFollows } from '../../../../src/worker/sessions/user-follows.js';
import { deferred } from '../../../support/deferred.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { fakeSession } from '../../../support/fake-connection.js';

const BODY = { ukey: 'dev-7' };
const NO_UNREAD = { comment: 0, userNotice: 0, systemNotice: 0, total: 0 };

let session: ReturnType<typeof fakeSession>;
let counts: ReturnType<typeof deferred<typeof NO_UNREAD>>[];
let started: number;
let deps: CommandDeps;

beforeEach(() => {
  const clock = new FakeClock();
  const sessions = new SessionRegistry();
  session = fakeSession(clock);
  sessions.add(session);
  counts = [];
  started = 0;
  const desk = new LoginDesk({
    sessions,
    clock,
    verifier: { verify: async () => 7, forget() {} },
    follows: new UserFollows({ async follow() {}, unfollow() {} }),
    budgetKey: () => null,
    visitors: { giveBack() {}, take: async () => true },
    system: () => ({ LinksPerUser: 3 }),
  } as unknown as ConstructorParameters<typeof LoginDesk>[0]);
  deps = {
    desk,
    log: silentLog,
    store: {
      unread() {
        const count = deferred<typeof NO_UNREAD>();
        counts.push(count);
        return count.promise;
      },
    },
    replays: {
      start() {
        started += 1;
        if (session.replay) session.replay.running = true;
      },
    },
  } as unknown as CommandDeps;
});

async function answered(result: CommandResult | Promise<CommandResult>): Promise<void> {
  (await result).afterReply?.();
}

describe('login', () => {
  test('starts one replay for two logins with one key that come together', async () => {
    const both = [login(session, BODY, deps), login(session, BODY, deps)];
    await expect.poll(() => counts.length).toBe(2);
    for (const { resolve } of counts) resolve(NO_UNREAD);
    for (const each of both) await answered(each);
    expect(started).toBe(1);
  });

  test('a login that succeeds beside one with the same key that fails has its replay', async () => {
    const [first, second] = [login(session, BODY, deps), login(session, BODY, deps)];
    await expect.poll(() => counts.length).toBe(2);
    counts[0]?.reject(new SpushError('STORE_UNAVAILABLE', 'away'));
    await expect(first).rejects.toThrow('away');
    counts[1]?.resolve(NO_UNREAD);
    await answered(second);
    // Else what comes for the user is held for ever.
    expect([session.data.login?.uid, started]).toEqual([7, 1]);
  });
});
