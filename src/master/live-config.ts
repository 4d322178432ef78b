/** The configuration that counts now; a change is told to everybody who holds a copy of it. */
import type { Config } from '../platform/config/config-schema.js';

export class LiveConfig {
  readonly #onChange: (config: Config) => void;
  #current: Config;

  constructor(config: Config, onChange: (config: Config) => void) {
    this.#current = config;
    this.#onChange = onChange;
  }

  get current(): Config {
    return this.#current;
  }

  change(config: Config): void {
    if (config === this.#current) return;
    this.#current = config;
    this.#onChange(config);
  }
}
