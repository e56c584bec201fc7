import type { Channel } from 'amqplib';

/** One that is closed already says so by rejecting. */
export function closeQuietly(channel: Channel): void {
  channel.close().catch(() => undefined);
}

/** An acknowledgement, say: on a channel that has ended, or is ending, the broker has the message again, and there is nothing to be said. */
export function sayQuietly(say: () => void): void {
  try {
    say();
  } catch {
    // See above.
  }
}

/** Of the reply by which the broker closed a channel. */
export function codeOf(error: unknown): number | undefined {
  return (error as { code?: number }).code;
}
