/**
 * A JSON value as its text. In what was read: as the sender wrote it, so that nothing of it is lost before it is looked at.
 * In what is to be written: it goes out as it stands.
 */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** JSON.stringify would write the text as a string; who writes one of these has to know it. */
  toJSON(): never {
    throw new TypeError('a RawJson is written by its text');
  }
}
