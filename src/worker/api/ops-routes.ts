/** What operators and their programs ask: alive, ready, metrics, and the description of this API. */
import type { MetricsPage } from '../../platform/metrics/scrape.js';
import { type Answer, notReady, success } from './answer.js';
import type { Readiness } from './readiness.js';
import type { Route } from './route.js';

/** For those to whom paths and hosts are not told; the log has the reason. */
const UNTOLD = 'not ready';

export interface OpsDeps {
  readonly readiness: Readiness;
  readonly scrape: () => Promise<MetricsPage>;
  /** JSON. */
  readonly openApi: string;
}

export function opsRoutes({ readiness, scrape, openApi }: OpsDeps): Route[] {
  return [
    { method: 'GET', pattern: '/healthz', access: 'open', handle: () => success({}) },
    {
      method: 'GET',
      pattern: '/readyz',
      access: 'open',
      async handle({ isOperator }) {
        const reasons = await readiness.reasons();
        if (reasons.length === 0) return success({ reasons });
        return notReady(isOperator ? reasons : reasons.map(({ check }) => ({ check, reason: UNTOLD })));
      },
    },
    {
      method: 'GET',
      pattern: '/openapi.json',
      access: 'open',
      handle: (): Answer => ({ status: 200, contentType: 'application/json; charset=utf-8', text: openApi }),
    },
    {
      method: 'GET',
      pattern: '/metrics',
      access: 'ops',
      async handle(): Promise<Answer> {
        const { contentType, text } = await scrape();
        return { status: 200, contentType, text };
      },
    },
  ];
}
