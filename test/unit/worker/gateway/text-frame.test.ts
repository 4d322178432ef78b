import { PassThrough, type Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as ws from 'ws';
import { textFrame } from '../../../../src/worker/gateway/text-frame.js';

// Exported by ws, not by its type declarations.
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

/** What the receiver of ws, which implements the standard, makes of a frame. */
function received(frame: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const receiver = new Receiver({ isServer: false });
    receiver.on('message', (data: Buffer) => resolve(data.toString()));
    receiver.on('error', reject);
    new PassThrough().end(frame).pipe(receiver);
  });
}

describe('textFrame', () => {
  test.each([
    0, 1, 125, 126, 127, 65_535, 65_536, 200_000,
  ])('a text of %i bytes is one standard frame', async (length) => {
    const text = 'x'.repeat(length);
    expect(await received(textFrame(text))).toBe(text);
  });

  test('any text arrives as it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 400 }), async (text) => {
        expect(await received(textFrame(text))).toBe(text);
      }),
      { numRuns: 100 },
    );
  });
});
