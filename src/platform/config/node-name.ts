/** How this node is called where people read it: a name that fits into channels, logs and tables. */
import { hostname } from 'node:os';

export const NODE_NAME = /^[\w.-]{1,64}$/;
const NODE_NAME_CHARS_MAX = 64;

/** The machine's name, as far as it fits. */
export function hostNodeName(host = hostname()): string {
  return host.replace(/[^\w.-]/g, '_').slice(0, NODE_NAME_CHARS_MAX) || '_';
}
