/**
 * Backup and restore of docs/INSTALL.md, run as they are printed, while messages come in: into an empty home, and into an empty
 * database with an empty home. Every message that was answered with 200 before the backup began is there afterwards.
 *
 * The folders of the page are those of the test here; programs that need root, a user or systemd do the same without them.
 */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { docBlock, docBlocks } from '../support/doc-blocks.js';
import { GrantedMariadb } from '../support/least-rights.js';
import { outsideProgram } from '../support/outside-program.js';
import { OwnRedis } from '../support/own-redis.js';
import { canHaveOwnSite, nodeEnv, OwnSite, redisAt, SITE_KEY } from '../support/own-site.js';
import { quoted, runAsPrinted } from '../support/run-as-printed.js';
import { tempFolder } from '../support/temp-folder.js';
import { WsClient } from '../support/ws-client.js';

const PAGE = 'docs/INSTALL.md';
const LOCAL = '### PUSHENV 0';
const SITE = '### PUSHENV 1 and 2';
const EXECUTABLE = path.resolve(import.meta.dirname, '../../bin/spush.js');

const sqlite = outsideProgram('sqlite3', 'apt-get install sqlite3');
const dump = outsideProgram('mariadb-dump', 'apt-get install mariadb-server');
const mariadb = outsideProgram('mariadb', 'apt-get install mariadb-server');

/** Posts without a pause, and knows what was answered when. */
class Poster {
  readonly ids: string[] = [];
  readonly spilled: string[] = [];
  readonly #daemon: Daemon;
  #going = true;
  readonly #done: Promise<unknown>;

  constructor(daemon: Daemon, callers = 4) {
    this.#daemon = daemon;
    this.#done = Promise.all(Array.from({ length: callers }, (_, caller) => this.#run(caller)));
  }

  async until(count: number, of: () => readonly string[] = () => this.ids): Promise<void> {
    await expect.poll(() => of().length, { timeout: 60_000, interval: 20 }).toBeGreaterThanOrEqual(count);
  }

  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
  }

  async #run(caller: number): Promise<void> {
    for (let n = 0; this.#going; n += 1) {
      const message = {
        uid: 1 + (n % 50),
        title: `m${caller}-${n}`,
        id: `b-${caller}-${n}`,
        deliver: 'cron',
      };
      const { status, body } = await this.#daemon.post('/api/comment/message', message).catch(() => NOTHING);
      if (status !== 200) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      this.ids.push(...body.data.ids);
      if (body.data.spilled) this.spilled.push(...body.data.ids);
    }
  }
}

const NOTHING = { status: 0, body: { data: { ids: [] as string[], spilled: 0 } } };

/** What the page means by its folders and programs, here. */
function standIns(node: Daemon, backup: string) {
  const spush = (words: string) => {
    const env = Object.entries(node.environment)
      .filter(([name]) => name.startsWith('SPUSH_') || name === 'PUSHENV')
      .map(([name, value]) => `export ${name}=${quoted(value ?? '')}`);
    return `${env.join('\n')}\n${quoted(process.execPath)} ${quoted(EXECUTABLE)} ${words} > /dev/null`;
  };
  return {
    text: (printed: string) =>
      printed.replaceAll('/var/lib/spush', node.home).replaceAll('/var/backups/spush', backup),
    programs: {
      runuser: 'shift 3; exec "$@"',
      install: `words=(); while [ $# -gt 0 ]; do case $1 in -o|-g) shift 2 ;; *) words+=("$1"); shift ;; esac; done; exec /usr/bin/install "\${words[@]}"`,
      systemctl: `case $1 in\nstop)\n${spush('server stop')} || [ $? = 3 ] ;;\nstart)\n${spush('server start -d')} ;;\n*) exit 1 ;;\nesac`,
    },
  };
}

async function background(daemon: Daemon): Promise<void> {
  const { exitCode, stderr } = await daemon.run('server', 'start', '-d');
  expect(exitCode, stderr).toBe(0);
  onTestFinished(async () => {
    await daemon.run('server', 'stop', '-force');
    await daemon.dispose();
  });
}

/** Which of them are not stored. */
async function missing(daemon: Daemon, ids: readonly string[]): Promise<string[]> {
  const gone: string[] = [];
  for (const id of ids) {
    const { status } = await daemon.get(`/api/message/${id}`);
    if (status !== 200) gone.push(`${id}: ${status}`);
  }
  return gone;
}

test('every block of the page about backups is run here', () => {
  expect(docBlocks(PAGE, LOCAL).map(({ language }) => language)).toEqual(['sh', 'sh']);
  expect(docBlocks(PAGE, SITE).map(({ language }) => language)).toEqual(['sh', 'sh', 'sh', 'sh']);
});

test.skipIf(sqlite === null)(
  'a backup of the embedded store, made while it is written to, has all that was answered',
  {
    timeout: 180_000,
  },
  async () => {
    const backup = path.join(tempFolder(), 'backups');
    const old = await Daemon.prepare({ env: { PUSHENV: '0', SPUSH_WORKER_NUM: '2' } });
    await background(old);
    expect((await old.run('crontab', 'stop', '--name=PushCommentMsg')).exitCode).toBe(0);
    const client = await WsClient.login(old.wsUrl, 900);
    const posted = await old.post('/api/comment/message', { uid: 900, title: 'acknowledged' });
    await client.untilItems(1);
    expect((await client.ask('ack', { ids: posted.body.data.ids })).body).toEqual({ acked: 1 });
    await client.close();

    const poster = new Poster(old);
    await poster.until(300);
    const answered = [...poster.ids];
    const oldPlaces = standIns(old, backup);
    await runAsPrinted(oldPlaces.text(docBlock(PAGE, LOCAL, '.backup')), oldPlaces.programs);
    await poster.until(answered.length + 100);
    await poster.stop();
    expect((await old.run('server', 'stop')).exitCode).toBe(0);

    const fresh = await Daemon.prepare({ env: { PUSHENV: '0', SPUSH_WORKER_NUM: '2' } });
    const freshPlaces = standIns(fresh, backup);
    onTestFinished(async () => {
      await fresh.run('server', 'stop', '-force');
      await fresh.dispose();
    });
    await runAsPrinted(freshPlaces.text(docBlock(PAGE, LOCAL, 'systemctl stop')), freshPlaces.programs);
    expect(await missing(fresh, answered)).toEqual([]);
    expect((await fresh.get(`/api/message/${posted.body.data.ids[0]}`)).body.data.state).toBe('acked');
    const jobs = JSON.parse((await fresh.run('crontab', 'show', '--json')).stdout) as unknown;
    expect(JSON.stringify(jobs)).toMatch(/"taskName":"PushCommentMsg"[^}]*"isStop":1/);
    // It goes on from there: what is new has an id above the old ones, and a repeated call is known.
    const again = await fresh.post('/api/comment/message', {
      uid: 1,
      title: 'm0-0',
      id: 'b-0-0',
      deliver: 'cron',
    });
    expect(again.body.data).toMatchObject({ accepted: 0, duplicates: 1 });
    const next = await fresh.post('/api/comment/message', { uid: 1, title: 'after' });
    expect(next.body.data.ids[0] > (answered.at(-1) ?? '')).toBe(true);
  },
);

test.skipIf(!canHaveOwnSite() || sqlite === null || dump === null || mariadb === null)(
  'a backup of database and spill, made while messages move from one to the other, has all that was answered',
  { timeout: 300_000 },
  async () => {
    const backup = path.join(tempFolder(), 'backups');
    mkdirSync(backup);
    const site = await OwnSite.start();
    onTestFinished(() => site.close());
    const redis = await OwnRedis.start({});
    const [oldDb, freshDb] = [await GrantedMariadb.start(), await GrantedMariadb.start()];
    for (const db of [oldDb, freshDb]) {
      onTestFinished(() => db.server.stop());
      db.apply('CREATE DATABASE spush CHARACTER');
    }
    const prepare = (db: GrantedMariadb) => {
      const access = { host: '', port: 0, user: 'spush', password: '', database: 'spush' };
      const env = { ...nodeEnv(site.access, access, redisAt(redis.port)), ...db.env };
      return Daemon.prepare({
        env: {
          ...env,
          SPUSH_WORKER_NUM: '2',
          SPUSH_TASK_WORKER_NUM: '1',
          SPUSH_DB_SPILL: 'true',
          SPUSH_DB_CONNECT_MS: '5000',
        },
        key: SITE_KEY,
      });
    };
    const clients = (db: GrantedMariadb) => {
      const options = ['--no-defaults', `--socket=${db.server.place.socket}`, '-uroot'];
      return { mariadb: [mariadb ?? '', ...options], 'mariadb-dump': [dump ?? '', ...options] };
    };

    const old = await prepare(oldDb);
    await background(old);
    const poster = new Poster(old);
    await poster.until(200);
    oldDb.server.freeze();
    await poster.until(50, () => poster.spilled);
    const answered = [...poster.ids];
    const oldPlaces = standIns(old, backup);
    const programs = { ...oldPlaces.programs, ...clients(oldDb) };
    await runAsPrinted(oldPlaces.text(docBlock(PAGE, SITE, '.backup')), programs);
    expect(existsSync(path.join(backup, 'websocket.spill.db'))).toBe(true);
    // Some of what was spilled moves while the database is copied, all of it before the old node ends.
    oldDb.server.thaw();
    await runAsPrinted(oldPlaces.text(docBlock(PAGE, SITE, 'mariadb-dump')), programs);
    await poster.stop();
    expect((await old.run('server', 'stop')).exitCode).toBe(0);

    const fresh = await prepare(freshDb);
    onTestFinished(async () => {
      await fresh.run('server', 'stop', '-force');
      await fresh.dispose();
    });
    const places = standIns(fresh, backup);
    const restore = docBlocks(PAGE, SITE)
      .map(({ text }) => text)
      .slice(2);
    for (const text of restore)
      await runAsPrinted(places.text(text), { ...places.programs, ...clients(freshDb) });
    const waiting = async () =>
      /^spush_spill_waiting (\d+)$/m.exec(await (await fetch(`${fresh.url}/metrics`)).text())?.[1];
    await expect.poll(waiting, { timeout: 60_000 }).toBe('0');
    expect(await missing(fresh, answered)).toEqual([]);
    // Once each: what was in both copies has not become two.
    const rows = await freshDb.server.asRoot(async (root) => {
      const [found] = await root.query(
        'SELECT COUNT(*) AS doubles FROM (SELECT 1 FROM spush.spush_message GROUP BY uid, caller_key HAVING COUNT(*) > 1) AS twice',
      );
      return found;
    });
    expect(rows).toEqual([{ doubles: 0 }]);
  },
);
