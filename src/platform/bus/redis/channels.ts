/**
 * Names of channels and keys. They are built when they are needed: a process that follows 100,000 users keeps their
 * numbers, not their channels.
 */
import { createHash } from 'node:crypto';
import type { BusIdentity } from '../bus-identity.js';

export type Channel =
  | { readonly of: 'user'; readonly uid: number }
  | { readonly of: 'all' }
  | { readonly of: 'node' }
  | { readonly of: 'probe' };

export class Channels {
  /** For every process. */
  readonly all: string;
  /** For this process alone: answers to what it asked. */
  readonly own: string;
  readonly #users: string;
  readonly #nodes: string;
  readonly #probes: string;
  readonly #nonces: string;

  constructor(prefix: string, { node }: BusIdentity) {
    this.all = `${prefix}all`;
    this.#users = `${prefix}user:`;
    this.#nodes = `${prefix}node:`;
    this.#probes = `${prefix}probe:${node}:`;
    this.#nonces = `${prefix}nonce:`;
    this.own = this.node(node);
  }

  user(uid: number): string {
    return `${this.#users}${uid}`;
  }

  node(node: string): string {
    return `${this.#nodes}${node}`;
  }

  /** One on each server of a Cluster: its number is chosen so that it lies there. */
  probe(number: number): string {
    return `${this.#probes}${number}`;
  }

  /** Of one length, whatever a caller sends. */
  nonce(scope: string, nonce: string): string {
    return `${this.#nonces}${createHash('sha256').update(`${scope}\n${nonce}`).digest('base64url')}`;
  }

  /** What a channel that something came on is for; null: none of ours. */
  parse(name: string): Channel | null {
    if (name.startsWith(this.#users)) {
      const uid = Number(name.slice(this.#users.length));
      return Number.isSafeInteger(uid) ? { of: 'user', uid } : null;
    }
    if (name === this.all) return { of: 'all' };
    if (name === this.own) return { of: 'node' };
    return name.startsWith(this.#probes) ? { of: 'probe' } : null;
  }
}
