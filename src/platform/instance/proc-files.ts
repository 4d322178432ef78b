/** Reading in /proc: a process may end between any two steps, and not everything is shown to every user. */

/** Null: it is not there any more, or not ours to look at. */
export async function unlessGone<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** ESRCH is what a read says when the process ends between open and read, EPERM what a /proc with hidepid=1 says of others. */
export function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM';
}
