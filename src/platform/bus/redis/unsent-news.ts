/**
 * What waits to be published on one server. What comes for one channel in one turn of the loop travels in one message;
 * the order of a channel is kept. Bounded: above `UNSENT_BYTES_MAX`, unconfirmed messages included, news is refused.
 */

/** Characters, about bytes. */
export const UNSENT_BYTES_MAX = 16 * 1024 * 1024;
/** A message carries about so much, so that no process works on one for long. */
const MESSAGE_BYTES = 256 * 1024;

export interface Parcel {
  readonly channel: string;
  readonly contents: string;
  readonly lines: number;
}

interface Filling {
  readonly channel: string;
  readonly lines: string[];
  size: number;
}

export class UnsentNews {
  #parcels: Filling[] = [];
  readonly #filling = new Map<string, Filling>();
  #waiting = 0;
  #unconfirmed = 0;

  get isEmpty(): boolean {
    return this.#parcels.length === 0;
  }

  /** False when it is full. `always`: few and small, and needed to get over a gap. */
  put(channel: string, line: string, always = false): boolean {
    if (!always && this.#waiting + this.#unconfirmed + line.length > UNSENT_BYTES_MAX) return false;
    let parcel = this.#filling.get(channel);
    if (!parcel || parcel.size + line.length > MESSAGE_BYTES) {
      parcel = { channel, lines: [], size: 0 };
      this.#filling.set(channel, parcel);
      this.#parcels.push(parcel);
    }
    parcel.lines.push(line);
    parcel.size += line.length;
    this.#waiting += line.length;
    return true;
  }

  /** Everything that waits, to be sent now; say `confirmed` with the same list when that has ended, well or not. */
  take(): Parcel[] {
    const parcels = this.#parcels.map(({ channel, lines }) => ({
      channel,
      contents: lines.join('\n'),
      lines: lines.length,
    }));
    this.#parcels = [];
    this.#filling.clear();
    this.#unconfirmed += this.#waiting;
    this.#waiting = 0;
    return parcels;
  }

  confirmed(parcels: readonly Parcel[]): void {
    // Line feeds between the lines were not counted.
    for (const { contents, lines } of parcels) this.#unconfirmed -= contents.length - (lines - 1);
  }
}
