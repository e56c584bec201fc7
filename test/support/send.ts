import { request } from 'node:http';

export interface Sent {
  method?: string;
  /** As they are, Host among them. */
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Address to come from, one of the machine's. */
  from?: string;
  token?: string;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /** The text as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect
  json(): any;
}

/** One request on a connection of its own. Unlike `fetch`, it takes any Host, Origin and Sec-Fetch-Site, and any path. */
export function send(api: string, path: string, { method = 'GET', headers = {}, body, from, token }: Sent = {}): Promise<Answer> {
  const { hostname, port } = new URL(api);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: hostname,
        port,
        path,
        method,
        agent: false,
        headers: { ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }), ...headers },
        ...(from === undefined ? {} : { localAddress: from }),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: () => JSON.parse(text) }));
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

export function sendJson(api: string, method: string, path: string, body: unknown, sent: Sent = {}): Promise<Answer> {
  return send(api, path, { ...sent, method, headers: { 'Content-Type': 'application/json', ...sent.headers }, body: JSON.stringify(body) });
}
