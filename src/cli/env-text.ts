import { ENV_NAMES, type PushEnv } from '../platform/config/config-schema.js';

/** `1 (Test)` */
export function envText(env: PushEnv): string {
  return `${env} (${ENV_NAMES[env]})`;
}
