// Told when the report has failed for good. Here it logs; yours would write to those who are to know.
export const handler = (message, context) => {
  const { schedule, reason } = message.body;
  context.logger.error('%s failed: %s', schedule, reason);
};
