/** The verifier built in for PUSHENV 0: `dev-176906` is user 176906, anything else is nobody's key. */
import { SpushError } from '../../shared/base/errors.js';
import type { UserVerifier } from './user-verifier.js';

const KEY = /^dev-([1-9]\d{0,15})$/;

export const localVerifier: UserVerifier = {
  async verify({ value }) {
    const uid = Number(KEY.exec(value)?.[1]);
    if (Number.isSafeInteger(uid)) return uid;
    throw new SpushError(
      'LOGIN_REFUSED',
      'this is nobody’s key; in PUSHENV 0 user 176906 has the key dev-176906',
    );
  },
  forget() {},
};
