import { FUNCTION, SCHEDULE } from './function.ts';
import { HASH, INSTANCE, type OperationExamples } from './operation-examples.ts';

export const SOURCE = 'def handler(message, context):\n    return message["body"]\n';

const SCRIPT = `import json, os, pika

headers = dict(line.split(": ", 1) for line in os.environ["HTTP_HEADER"].splitlines())
queue = headers["X-Correlation-Id"]
connection = pika.BlockingConnection(pika.ConnectionParameters(host="message_queue"))
channel = connection.channel()
channel.queue_declare(queue=queue)
channel.basic_publish(exchange="", routing_key=queue, body=os.environ["HTTP_BODY"])
connection.close()
`;

export const FUNCTIONS: Readonly<Record<string, OperationExamples>> = {
  'POST /functions': {
    body: {
      'A handler in Python': { event_type: 'http|POST|/echo', function_name: 'echo', function_code: SOURCE },
      'A script that answers by a message': { event_type: 'http|POST|/echo', function_name: 'echo', function_code: SCRIPT },
      'A handler in JavaScript, with limits': {
        event_type: 'http|*|/greet/:name',
        function_name: 'greet',
        runtime: 'nodejs',
        function_code: 'export default async ({ params }) => ({ hello: params.name });\n',
        timeout_ms: 5000,
        memory_mb: 128,
        max_instances: 4,
      },
      'A function that is run by the clock': {
        event_type: 'cron|TZ=Europe/Berlin 0 6 * * *',
        function_name: 'report',
        function_code: 'def handler(message, context):\n    print("good morning")\n',
        schedule: { missed: 'once', overlap: 'forbid' },
      },
      'Files that were uploaded before': { event_type: 'http|POST|/parcels', function_name: 'parcels', bundle: HASH, entry: 'main.py' },
    },
    answers: {
      200: {
        'A new version': { status: 'ok', ...FUNCTION, created: true, warnings: [] },
        'The same as before': { status: 'ok', ...FUNCTION, created: false, warnings: [] },
        'One that is run by the clock': {
          status: 'ok',
          ...FUNCTION,
          function_name: 'report',
          event_type: 'cron|0 6 * * *',
          schedule: SCHEDULE,
          created: true,
          next_firings: [1, 2, 3, 4, 5].map((day) => Date.UTC(2026, 2, 1 + day, 6)),
          warnings: [],
        },
      },
    },
  },
  'GET /functions': { answers: { 200: { 'One function': { 'http|POST|/echo': [FUNCTION] }, None: {} } } },
  'GET /functions/{function_name}': {
    answers: {
      200: {
        'One text': { ...FUNCTION, function_code: SOURCE, bundle: null, requirements: null, environment: { GREETING: 'hello' } },
        'A bundle': {
          ...FUNCTION,
          function_code: SOURCE,
          bundle: { hash: HASH, entry: 'main.py' },
          requirements: 'requests==2.32.5\n',
          environment: {},
        },
      },
    },
  },
  'DELETE /functions/{function_name}': {
    answers: { 200: { 'It is gone': { status: 'ok', deleted: true }, 'There was none': { status: 'ok', deleted: false } } },
  },
  'POST /functions/trigger': {
    body: {
      'A call with a JSON body': {
        http_header: 'Content-Type: application/json',
        http_body: '{"body": {"Hello": "Valera"}}',
        http_path: '/echo',
        http_verb: 'POST',
      },
    },
    answers: {
      200: {
        'One function runs': { status: 'ok', container_ids: [INSTANCE] },
        'No function has this event key': { status: 'ok', container_ids: [] },
      },
    },
  },
};
