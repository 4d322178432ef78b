/**
 * Read at run time by every `spush` command that needs the configuration; never compiled in. Edited by operators.
 *
 * PUSHENV says which environment this machine is:
 *
 *   0  local    nothing has to be installed: messages are kept in a file in Data/, logins are checked by the built-in
 *               verifier (the key `dev-176906` is user 176906), calls from loopback need no signature;
 *               conf/SystemConf.ts counts, no folder in conf/ does
 *   1  Test     conf/SystemConf.ts and conf/Test/
 *   2  Online   conf/SystemConf.ts and conf/Online/
 *
 * The environment variable PUSHENV wins over this file, so that one release can be put on all machines.
 * A change of PUSHENV takes effect with the next start. `spush config check` tells whether everything is in order.
 */
export const PUSHENV = 0;

/**
 * Own tasks and jobs. A task runs in a TaskWorker, when a job fires it. A job fires by its rule, and is seen and changed
 * with `spush crontab`, as those of spush. What is changed here takes effect with `spush server reload`.
 *
 *   run(args, { signal, log })  may be async; what it answers goes to the caller as JSON. `signal` is raised at the
 *                               deadline (TaskSeconds in conf/SystemConf.ts): stop then. A task that has not ended 5 s
 *                               later takes its TaskWorker with it, which is started again. `log.info('event', { … })`.
 *   rule                        minute, hour, day of month, month, weekday, in the time zone of TimeZone; or @yearly,
 *                               @annually, @monthly, @weekly, @daily, @hourly. A date must fit the day of month AND the weekday.
 *   task, args                  which task the job runs, and what it is given: an own one, `sweep` ({ kind: 'comment' },
 *                               'userNotice' or 'systemNotice') or `prune`; or else `run`, for a job that is its own task.
 *
 * export const tasks = [
 *   {
 *     name: 'countVisits',
 *     async run({ site }, { signal, log }) {
 *       const answer = await fetch(`https://${site}/visits.json`, { signal });
 *       const { visits } = await answer.json();
 *       log.info('visits.counted', { site, visits });
 *       return { visits };
 *     },
 *   },
 * ];
 *
 * export const jobs = [
 *   { name: 'CountVisits', rule: '0 3 * * *', task: 'countVisits', args: { site: 'www.example.com' } },
 *   { name: 'SweepComments', rule: '30 8-18 * * MON-FRI', task: 'sweep', args: { kind: 'comment' } },
 *   { name: 'SayHello', rule: '@hourly', run: (_args, { log }) => log.info('hello') },
 * ];
 */
