// Leads from the short name to the URL.
import { get } from './links.js';

export const handler = async ({ params: { id } }) => {
  const url = /^[\w-]{8}$/.test(id) ? await get(id) : null;
  if (url === null) return { statusCode: 404, body: { error: 'there is no such link' } };
  // Written anew by the parser, a URL has neither spaces nor line ends, nor letters that a header can't have.
  return { statusCode: 302, headers: { Location: new URL(url).href, 'Cache-Control': 'private, max-age=3600' } };
};
