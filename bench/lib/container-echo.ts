import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Docker } from './docker.ts';
import { PROGRAMS } from './folders.ts';
import type { MessageQueue } from './message-queue.ts';
import { millisecondsSince } from './statistics.ts';

export interface ContainerRun {
  /** From the start of `docker run` to the script's message. */
  answeredMs: number;
  /** … to the end of `docker run`, when the container is gone. */
  goneMs: number;
}

/** One run of the echo script in a fresh container, with the environment that Hearth gives it. @throws Error when it failed or answered wrongly */
export async function runEchoContainer(docker: Docker, queue: MessageQueue): Promise<ContainerRun> {
  const code = await readFile(`${PROGRAMS}echo.py`, 'utf8');
  const id = randomUUID();
  const body = '{"body": {"Hello": "Valera"}}';
  const environment = {
    HTTP_HEADER: `Content-Type: application/json\nX-Correlation-Id: ${id}`,
    HTTP_BODY: body,
    HTTP_PATH: '/echo',
    HTTP_VERB: 'POST',
  };
  const options = ['--add-host', 'message_queue:127.0.0.1', ...Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`])];
  let answeredMs = 0;
  let answer = '';
  const start = process.hrtime.bigint();
  void queue.message(id).then((message) => {
    answeredMs = millisecondsSince(start);
    answer = message;
  });
  try {
    await docker.run(options, ['python3', '-c', code]);
    const goneMs = millisecondsSince(start);
    if (answer !== body) throw new Error(`the script in the container answered ${JSON.stringify(answer)}`);
    return { answeredMs, goneMs };
  } finally {
    queue.forget(id);
  }
}
