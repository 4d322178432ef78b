/**
 * Who a process is on the bus between nodes: the node's name, what is random of the node's start, and what is random of its
 * own. Nothing has to be agreed on by hand: two processes never have the same identity, not even one that was started
 * again under its old name; and others see which processes are of one node, also when two nodes have one name.
 */
import { randomBytes } from 'node:crypto';
import { hostNodeName } from '../config/node-name.js';

export interface BusIdentity {
  /** NodeName, the start of the node, the start of the process: `web1-5f3a9c0e-21b4c7d8e9f0`. */
  readonly node: string;
  /** Title of the process. */
  readonly process: string;
}

/** What an identity says of the node. */
export interface NodeIdentity {
  readonly name: string;
  /** Random, new with every start of the master; empty when the identity is not one of this form. */
  readonly run: string;
}

const PROCESS_CHARS_MAX = 80;
const NODE = /^(.+)-([0-9a-f]{8})-[0-9a-f]{12}$/;

/** What is random of one start of a node: the master makes it, its children get it. */
export function newNodeRun(): string {
  return randomBytes(4).toString('hex');
}

export function newBusIdentity(process: string, name = hostNodeName(), run = newNodeRun()): BusIdentity {
  const own = randomBytes(6).toString('hex');
  return { node: `${hostNodeName(name)}-${run}-${own}`, process: plain(process) };
}

export function nodeOf({ node }: Pick<BusIdentity, 'node'>): NodeIdentity {
  const [, name = node, run = ''] = NODE.exec(node) ?? [];
  return { name, run };
}

/** Tells it from another node of the same name: `web1-5f3a9c0e`. */
export function nodeTitle({ name, run }: NodeIdentity): string {
  return run === '' ? name : `${name}-${run}`;
}

/** The name in `web1-5f3a9c0e`; all of it when it is none. */
export function nameIn(title: string): string {
  return title.replace(/-[0-9a-f]{8}$/, '');
}

/** Fields of an envelope are divided by blanks. */
function plain(name: string): string {
  return name.replace(/[^\w.-]/g, '_').slice(0, PROCESS_CHARS_MAX) || '_';
}
