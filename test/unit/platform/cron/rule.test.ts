import fc from 'fast-check';
import { validate } from 'node-cron';
import { describe, expect, it } from 'vitest';
import { checkRule, RULE_ALIASES } from '../../../../src/platform/cron/rule.js';

const reasonOf = (text: string, timeZone: string | null = 'UTC') => {
  const check = checkRule(text, timeZone);
  return check.ok ? 'accepted' : check.reason;
};

describe('checkRule', () => {
  it.each([
    '*/6 * * * *',
    '0 0-23/3 * * *',
    '0,15,30-40/5 22-6 1 JAN-MAR MON',
    '0 0 ? * 7',
    '0 0 1 * ?',
    '0 0 L * *',
    '0 0 L-3 * *',
    '0 0 15W * *',
    '0 0 LW * *',
    '0 0 * * 5L',
    '0 0 * * FRIL',
    '0 0 * * 1#2',
    '0 0 * * mon#2'.toUpperCase(),
    '0 0 29 2 *',
    '0 0 29 FEB MON',
  ])('accepts %s', (rule) => {
    expect(checkRule(rule, 'UTC')).toEqual({ ok: true, rule });
  });

  it('answers five fields with one space, in capitals', () => {
    expect(checkRule('  0  0 *\t* mon-fri ', null)).toEqual({ ok: true, rule: '0 0 * * MON-FRI' });
  });

  it.each([...RULE_ALIASES])('%s is %s', (alias, rule) => {
    expect(checkRule(alias, 'UTC')).toEqual({ ok: true, rule });
    expect(checkRule(alias.toUpperCase(), 'UTC')).toEqual({ ok: true, rule });
    expect(checkRule(rule, 'UTC')).toEqual({ ok: true, rule });
  });

  it.each([
    ['', 'it is empty'],
    ['* * * *', 'it has 4 fields, not five'],
    ['0 * * * * *', 'it has six fields: seconds are not known'],
    ['* * * * * * *', 'it has 7 fields'],
    ['60 * * * *', 'minute "60" is not 0 to 59'],
    ['* 24 * * *', 'hour "24" is not 0 to 23'],
    ['* * 0 * *', 'day of month "0" is not 1 to 31'],
    ['* * * 13 *', 'month "13" is not 1 to 12'],
    ['* * * * 8', 'weekday "8" is not 0 to 7'],
    ['1,70 * * * *', 'minute "70" is not 0 to 59'],
    ['99-5 * * * *', 'minute "99-5" is not 0 to 59'],
    ['*/0 * * * *', 'has a step that is not 1 to 60'],
    ['*/61 * * * *', 'has a step that is not 1 to 60'],
    ['5/10 * * * *', 'write 5-59/10'],
    ['? * * * *', 'stands for the whole day of month or the whole weekday'],
    ['* * ?,1 * *', 'stands for the whole day of month or the whole weekday'],
    ['* * * JAN1 *', 'month "JAN1" is not understood'],
    ['* * * MON *', 'month "MON" is not understood'],
    ['* * * * JAN', 'weekday "JAN" is not understood'],
    ['* * * * L', 'weekday "L" is not understood'],
    ['* L * * *', 'hour "L" is not understood'],
    ['* * 32W * *', 'is not understood'],
    ['1,,2 * * * *', 'is not understood'],
    ['-1 * * * *', 'is not understood'],
    ['@dayly', 'Did you mean @daily?'],
    ['@reboot', 'is none of @yearly'],
    ['* * 31 2 *', 'it never comes: no date has day of month 31, month 2'],
    ['0 0 31 FEB,APR *', 'it never comes'],
    ['0 0 L-30 2 *', 'it never comes'],
    ['0 0 1 * 1#2', 'it never comes'],
    ['x'.repeat(300), 'longer than 256'],
  ])('refuses "%s" with the reason', (rule, reason) => {
    expect(reasonOf(rule)).toContain(reason);
  });

  it('accepts a time that only the hour left out in spring could have: it comes when that hour ends', () => {
    expect(reasonOf('30 2 * 3 0L', 'Europe/Berlin')).toBe('accepted');
  });

  it('needs a time zone that there is', () => {
    expect(reasonOf('* * * * *', 'Mars/Olympus')).toContain('Mars/Olympus');
  });

  it('accepts every rule that its own words can make, and what it answers is accepted as it is', () => {
    const field = (min: number, max: number) => {
      const value = fc.integer({ min, max }).map(String);
      const range = fc.tuple(value, value).map(([a, b]) => `${a}-${b}`);
      const step = fc.integer({ min: 1, max: max - min + 1 });
      const stepped = fc.tuple(fc.oneof(fc.constant('*'), range), step).map(([of, n]) => `${of}/${n}`);
      const token = fc.oneof(value, range, stepped, fc.constant('*'));
      return fc.array(token, { minLength: 1, maxLength: 3 }).map((tokens) => tokens.join(','));
    };
    // Days up to the 28th are in every month, so that nothing here can never come.
    const rules = fc.tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), fc.constant('*'));
    fc.assert(
      fc.property(rules, (fields) => {
        const check = checkRule(fields.join(' '), 'UTC');
        expect(check).toEqual({ ok: true, rule: fields.join(' ') });
        expect(check.ok && checkRule(check.rule, 'UTC')).toEqual(check);
      }),
      { numRuns: 200 },
    );
  });

  it('never throws, and accepts nothing that the library of the scheduler does not', () => {
    const word = fc.stringMatching(/^[0-9*,/LW#?JANMON-]{1,6}$/);
    const rules = fc.oneof(
      fc.string(),
      fc.array(word, { minLength: 4, maxLength: 6 }).map((w) => w.join(' ')),
    );
    fc.assert(
      fc.property(rules, (text) => {
        const check = checkRule(text, 'UTC');
        if (check.ok) expect(validate(check.rule)).toBe(true);
        else expect(check.reason).not.toBe('');
      }),
      { numRuns: 1000 },
    );
  });
});
