/**
 * Online: who may call the HTTP API and which pages may connect. The keys of signed calls are not written here: set
 * SPUSH_API_KEYS to JSON, e.g. {"gzcp":"a long random text"}. Two keys at a time make a change of keys possible.
 */
import type { ApiConf } from '../../src/platform/config/config-schema.js';

export default {
  // Also accept timestamp and token = md5(timestamp + secret) as fields, for callers that cannot sign yet. Needs allow.
  legacyToken: false,
  // Also accept version 1 of the signature; set it to false when api.signatureV1 has not been in the log for a while.
  signatureV1: true,
  // Addresses that may call the API, e.g. ['10.0.0.0/8']; empty: any with a valid signature.
  allow: [],
  // Addresses that may read /metrics, and are told the reasons of a 503.
  opsAllow: ['127.0.0.0/8', '::1/128'],
  // Origins of the pages that may connect, exactly as browsers send them; Online refuses to start without one of your own.
  origins: ['https://www.gzcp.example'],
} satisfies ApiConf;
