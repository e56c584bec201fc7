/** What the form for a new function begins with. */
export interface Sample {
  id: string;
  title: string;
  runtime: 'python' | 'nodejs';
  /** To try it with. */
  body: string;
  code: string;
}

export const SAMPLES: readonly Sample[] = [
  {
    id: 'python-handler',
    title: 'Python handler',
    runtime: 'python',
    body: '{"name": "Valera"}',
    code: `def handler(message, context):
    name = (message["body"] or {}).get("name", "world")
    print("greeting", name)
    return {"hello": name}
`,
  },
  {
    id: 'node-handler',
    title: 'Node.js handler',
    runtime: 'nodejs',
    body: '{"name": "Valera"}',
    code: `export default function handler(message, context) {
  const name = message.body?.name ?? 'world';
  console.log('greeting', name);
  return { hello: name };
}
`,
  },
  {
    id: 'node-web',
    title: 'Node.js, Request and Response',
    runtime: 'nodejs',
    body: '',
    code: `export default {
  async fetch(request) {
    const url = new URL(request.url);
    return Response.json({ method: request.method, path: url.pathname });
  },
};
`,
  },
  {
    id: 'python-script',
    title: 'Python script that answers by AMQP',
    runtime: 'python',
    body: '{"name": "Valera"}',
    code: `import json
import os

import pika

headers = dict(line.split(": ", 1) for line in os.environ["HTTP_HEADER"].splitlines() if ": " in line)
body = json.loads(os.environ["HTTP_BODY"])["body"]

connection = pika.BlockingConnection(pika.ConnectionParameters("message_queue"))
connection.channel().basic_publish(
    exchange="",
    routing_key=headers["X-Correlation-Id"],
    body=json.dumps({"hello": (body or {}).get("name", "world")}),
)
connection.close()
`,
  },
];
