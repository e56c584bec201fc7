// A page and an API of Express. Nothing in it knows of Hearth but that every path begins as the event key does.
import express from 'express';

const board = express.Router();
board.use(express.static(new URL('public', import.meta.url).pathname, { maxAge: '1h' }));
board.use(express.json({ limit: '10kb' }));

board.post('/slugs', (request, response) => {
  const title = request.body?.title;
  if (typeof title !== 'string' || title.length > 200) {
    response.status(422).json({ error: 'title is a text of 200 characters at most' });
    return;
  }
  // NFKD takes letters and their accents apart; what is left of the accents is dropped with all else that is no letter or digit.
  const slug = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{Mark}+/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  response.status(201).json({ slug });
});

board.use((request, response) => {
  response.status(404).json({ error: `there is nothing at ${request.originalUrl}` });
});

// Express knows an error handler by its four parameters. What the caller did wrong may be told, what went wrong here may not.
board.use((error, _request, response, _next) => {
  const status = error.status ?? 500;
  if (status >= 500) console.error(error);
  response.status(status).json({ error: status < 500 ? error.message : 'something went wrong' });
});

const app = express().disable('x-powered-by').use('/board', board);
const server = app.listen(Number(process.env.PORT), '127.0.0.1');
// The platform says so when the instance is no longer needed, after the last of its requests.
process.on('SIGTERM', () => server.close());
