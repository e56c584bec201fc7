/** What `hearth init` writes: files by name, with NAME in the place of the function's. The first function answers `POST /NAME` with {"name": …}. */
export const TEMPLATES: Readonly<Record<string, { about: string; files: Readonly<Record<string, string>> }>> = {
  python: {
    about: 'a handler in Python',
    files: {
      'hearth.yaml': `functions:
  NAME:
    on: http|POST|/NAME
    entry: main.py
    # requirements_file: requirements.txt
`,
      'main.py': `def handler(message, context):
    body = message["body"]
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        return {"statusCode": 400, "body": {"error": "name is missing"}}
    return {"hello": body["name"]}
`,
    },
  },
  'python-script': {
    about: 'a script in Python that answers by a message, with pika',
    files: {
      'hearth.yaml': `functions:
  NAME:
    on: http|POST|/NAME
    entry: main.py
`,
      'main.py': `import json
import os

import pika

headers = dict(line.split(": ", 1) for line in os.environ["HTTP_HEADER"].splitlines())
body = json.loads(os.environ["HTTP_BODY"])["body"]
queue = headers["X-Correlation-Id"]

connection = pika.BlockingConnection(pika.ConnectionParameters(host="message_queue"))
channel = connection.channel()
channel.queue_declare(queue=queue)
channel.basic_publish(exchange="", routing_key=queue, body=json.dumps({"hello": body["name"]}))
connection.close()
`,
    },
  },
  javascript: {
    about: 'a handler in JavaScript',
    files: {
      'hearth.yaml': `functions:
  NAME:
    on: http|POST|/NAME
    runtime: nodejs
    entry: main.mjs
`,
      'main.mjs': `export default async (message, context) => {
  const name = message.body?.name;
  if (typeof name !== 'string') return { statusCode: 400, body: { error: 'name is missing' } };
  return { hello: name };
};
`,
    },
  },
  typescript: {
    about: 'a function in TypeScript that takes a Request and gives a Response',
    files: {
      'hearth.yaml': `functions:
  NAME:
    on: http|POST|/NAME
    runtime: nodejs
    entry: main.ts
`,
      'main.ts': `interface Greeting {
  name: string;
}

export default {
  async fetch(request: Request): Promise<Response> {
    const { name } = (await request.json()) as Partial<Greeting>;
    if (typeof name !== 'string') return Response.json({ error: 'name is missing' }, { status: 400 });
    return Response.json({ hello: name });
  },
};
`,
    },
  },
  server: {
    about: 'an HTTP server in Python, with Flask',
    files: {
      'hearth.yaml': `functions:
  NAME:
    on: http|*|/NAME
    style: server
    entry: main.py
    requirements_file: requirements.txt
`,
      'requirements.txt': 'flask\n',
      'main.py': `import os

from flask import Flask, request

app = Flask(__name__)


@app.post("/NAME")
def greet():
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        return {"error": "name is missing"}, 400
    return {"hello": body["name"]}


app.run("127.0.0.1", int(os.environ["PORT"]))
`,
    },
  },
};
