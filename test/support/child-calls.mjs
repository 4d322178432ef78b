/** The child's side of calls from a test: {i, cmd, args} → {i, value} or {i, error}. Ends with its parent. */
export function answerCalls(handlers) {
  process.on('message', async ({ i, cmd, args }) => {
    try {
      process.send({ i, value: (await handlers[cmd](args)) ?? null });
    } catch (error) {
      process.send({ i, error: error instanceof Error ? error.message : String(error) });
    }
  });
  process.on('disconnect', () => process.exit(0));
}
