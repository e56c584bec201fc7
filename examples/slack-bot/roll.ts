// The slash command `/roll 3d6`: says at once that it was heard, and has the answer sent later.
import type { Handler, Response } from '@hearth/sdk';
import type { Answer } from './answer.ts';
import { isFromSlack } from './signature.ts';

export const handler: Handler<string, Response> = async (message, context) => {
  if (!isFromSlack(message, context.secrets.SLACK_SIGNING_SECRET as string))
    return { statusCode: 401, body: 'the signature is missing, old or wrong' };
  const form = new URLSearchParams(message.raw_body.toString());
  const [, count, sides] = /^([1-9]\d?)d([1-9]\d{0,2})$/.exec(form.get('text')?.trim() ?? '') ?? [];
  // Slack shows the text of answers with the status 200 only.
  if (count === undefined) return toCaller('Say how many dice of how many sides, as in `/roll 3d6`.');
  const answer: Answer = { url: form.get('response_url') ?? '', user: form.get('user_name') ?? '', count: Number(count), sides: Number(sides) };
  // On the disk before this returns, and tried again until Slack has taken it.
  await context.invoke('slack-answer', answer, { mode: 'async' });
  return toCaller(`Rolling ${count}d${sides} …`);
};

/** Only who gave the command sees it. */
const toCaller = (text: string): Response => ({ statusCode: 200, body: { response_type: 'ephemeral', text } });
