/** A server-sent event (HTML Living Standard §9.2). */
export interface ServerSentEvent {
  /** Of the last event that had one; empty: none had. */
  id: string;
  /** `message` when it has no name. */
  event: string;
  data: string;
}

/** The events of an answer, as they come, until its end. For Node.js and browsers alike. @throws TypeError, of fetch, when the connection breaks */
export async function* eventsOf(response: Response): AsyncGenerator<ServerSentEvent, void, undefined> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let [id, event, text] = ['', '', ''];
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (text + value).split(/\r?\n/);
      text = lines.pop() as string;
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { id, event: event || 'message', data: data.join('\n') };
          [event, data] = ['', []];
        }
        const [, name = '', content = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
        if (name === 'data') data.push(content);
        else if (name === 'event') event = content;
        else if (name === 'id') id = content;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
