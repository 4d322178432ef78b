/**
 * The page that Prometheus reads: the metrics of all Workers added up, whichever Worker is asked. A Worker that does not
 * answer in time, or answers nonsense, is left out and counted, so that a hung one cannot blind the monitoring.
 */
import { AggregatorRegistry, Gauge, type PrometheusContentType, Registry } from 'prom-client';
import * as z from 'zod';
import { errorText } from '../../shared/base/errors.js';
import type { Bus } from '../bus/bus.js';
import type { Log } from '../log/log.js';
import type { Metrics } from './metrics.js';

const DEADLINE_MS = 2000;
const METRICS_MAX = 1000;

const metricSchema = z.object({
  name: z.string().regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/),
  help: z.string(),
  type: z.enum(['counter', 'gauge', 'histogram', 'summary']),
  aggregator: z.enum(['omit', 'sum', 'first', 'min', 'max', 'average']),
  values: z.array(
    z.object({
      // NaN and Infinity become null on the way.
      value: z.number().nullable(),
      labels: z.record(z.string(), z.union([z.string(), z.number()])),
      metricName: z.string().optional(),
    }),
  ),
});
const answerSchema = z.object({ metrics: z.array(metricSchema).max(METRICS_MAX) });

export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

export interface ScrapeDeps {
  readonly bus: Pick<Bus, 'ask'>;
  /** This process's own, for when the bus cannot be asked. */
  readonly metrics: Metrics;
  readonly log: Log;
}

export async function scrape(deps: ScrapeDeps): Promise<MetricsPage> {
  const { answers, silent } = await askAll(deps);
  const known: object[][] = [];
  let faulty = 0;
  for (const answer of answers) {
    const parsed = answerSchema.safeParse(answer.result);
    if (parsed.success) known.push(parsed.data.metrics.map(withNumbers));
    else {
      faulty += 1;
      deps.log.warn('metrics.faulty', { from: answer.from });
    }
  }
  const page = AggregatorRegistry.aggregate<PrometheusContentType>(known);
  gauge(page, 'spush_scrape_processes', 'Workers whose metrics are in this page.', known.length);
  gauge(
    page,
    'spush_scrape_silent',
    'Workers whose metrics are missing in this page.',
    silent.length + faulty,
  );
  return { contentType: Registry.PROMETHEUS_CONTENT_TYPE, text: await page.metrics() };
}

async function askAll({ bus, metrics, log }: ScrapeDeps) {
  try {
    return await bus.ask('metrics', {}, { deadlineMs: DEADLINE_MS });
  } catch (error) {
    log.warn('metrics.alone', { reason: errorText(error) });
    return {
      answers: [{ from: 'self', result: { metrics: await metrics.json() } }],
      silent: ['all others'],
    };
  }
}

function withNumbers(metric: z.infer<typeof metricSchema>): object {
  return {
    ...metric,
    values: metric.values.map((value) => ({ ...value, value: value.value ?? Number.NaN })),
  };
}

function gauge(page: Registry, name: string, help: string, value: number): void {
  new Gauge({ name, help, registers: [page] }).set(value);
}
