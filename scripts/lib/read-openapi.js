import pino from 'pino';
import { createApi } from '../../src/api/create-api.ts';

/** The OpenAPI document, as a running platform gives it at /openapi.json. */
export async function readOpenApi() {
  // Routes take these apart when they are called, which none is here.
  const app = createApi({
    log: pino({ enabled: false }),
    access: { host: '127.0.0.1', allowedHosts: ['localhost'], required: false, adminHash: null },
    dashboardFolder: '',
  });
  const response = await app.inject('/openapi.json');
  await app.close();
  return response.json();
}
