// Gives a URL a short name.
import { randomBytes } from 'node:crypto';
import { put } from './links.js';

export const handler = async ({ body }, context) => {
  if (!isWebAddress(body?.url)) return { statusCode: 422, body: { error: 'url: an http or https address of 2000 characters at most' } };
  // Drawn, not counted: nobody finds the links of others by counting on. 48 bits are seldom drawn twice, and then once more.
  let id = draw();
  while (!(await put(id, body.url))) id = draw();
  context.logger.info('%s is %s', id, body.url);
  return { statusCode: 201, headers: { Location: `/l/${id}` }, body: { path: `/l/${id}` } };
};

const draw = () => randomBytes(6).toString('base64url');

function isWebAddress(url) {
  // `javascript:` and `data:` are URLs, too.
  return typeof url === 'string' && url.length <= 2000 && ['http:', 'https:'].includes(URL.parse(url)?.protocol);
}
