/** The folder in which a command was typed; null when it has been removed, or is of a file system that is gone. */
export function presentFolder(): string | null {
  try {
    return process.cwd();
  } catch (error) {
    // Anything else than what the kernel says about the folder is a fault of our own.
    if (error instanceof Error && 'syscall' in error) return null;
    throw error;
  }
}
