/** The three kinds of message the main site sends, and the crontab job that sweeps each. */

export const KINDS = ['comment', 'userNotice', 'systemNotice'] as const;
export type Kind = (typeof KINDS)[number];

export function isKind(value: unknown): value is Kind {
  return typeof value === 'string' && (KINDS as readonly string[]).includes(value);
}

/** One job per kind; rules are those of the original, the second as its note means it (once every three hours). */
export const SWEEP_JOBS = {
  PushUserNoticeMsg: { kind: 'userNotice', rule: '*/6 * * * *' },
  PushSystemNoticeMsg: { kind: 'systemNotice', rule: '0 0-23/3 * * *' },
  PushCommentMsg: { kind: 'comment', rule: '*/6 * * * *' },
} as const satisfies Record<string, { kind: Kind; rule: string }>;

export type SweepJobName = keyof typeof SWEEP_JOBS;
