// Makes docs/images/dashboard-*.png from a platform with functions that are called while it looks. Needs Chromium and pngquant.
// Usage: node scripts/lib/screenshots.js
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startBrowser } from '../../test/support/browser.ts';
import { Hearth } from '../../test/support/hearth.ts';

const images = fileURLToPath(new URL('../../docs/images', import.meta.url));
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 780 };
const LOOK_MS = 60_000;

const ORDERS = (word) => `import json
import random
import time


def handler(message, context):
    order = message["body"]
    print(json.dumps({"level": "info", "msg": "order ${word}", "order": order["order"]}))
    time.sleep(random.expovariate(80))
    if order["order"] % 37 == 0:
        print(json.dumps({"level": "warn", "msg": "stock is low", "sku": "A-7", "left": 2}))
    if order["order"] % 61 == 0:
        raise ValueError(f"no such order: {order['order']}")
    return {"order": order["order"], "state": "${word}"}
`;
const GREETING = `export default function handler(message) {
  return { hello: message.body?.name ?? 'world' };
}
`;
const REPORT = `def handler(message, context):
    print("report is sent")
    return {"rows": 120}
`;

await using hearth = await Hearth.start();
await fetch(`${hearth.api}/secrets/STRIPE_KEY`, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: '{"value": "sk_test_1"}' });
const orders = {
  event_type: 'http|POST|/orders',
  function_name: 'orders',
  secrets: ['STRIPE_KEY'],
  timeout_ms: 5000,
  retry: { attempts: 1 },
  slo: { availability: 0.99, latency: { threshold_ms: 250, share: 0.95 } },
};
await hearth.register({ ...orders, function_code: ORDERS('accepted') });
await hearth.register({ ...orders, function_code: ORDERS('taken') });
await hearth.register({ event_type: 'http|*|/hello', function_name: 'hello', function_code: GREETING, runtime: 'nodejs' });
await hearth.register({ event_type: 'http|GET|/thumbnails/:id', function_name: 'thumbnail', function_code: REPORT });
await hearth.register({ event_type: 'cron|*/5 * * * *', function_name: 'nightly-report', function_code: REPORT });

const json = { 'Content-Type': 'application/json' };
let calling = true;
const callers = [0, 1].map(async (caller) => {
  // Until it is over, or the platform is gone, since something went wrong below.
  for (let order = caller + 1; calling && hearth.child.exitCode === null; order += 2) {
    await hearth.call('/orders', { method: 'POST', headers: json, body: JSON.stringify({ order }) }).catch(() => undefined);
    if (order % 3 === 0) await hearth.call('/hello', { method: 'POST', headers: json, body: '{"name": "Valera"}' }).catch(() => undefined);
    if (order % 150 === 1) await hearth.post('/functions/orders/invocations', { body: { order: 61 } }).catch(() => undefined);
    await sleep(40 + 60 * Math.random());
  }
});
await sleep(LOOK_MS);

mkdirSync(images, { recursive: true });
const browser = await startBrowser();
for (const [name, hash, colorScheme, viewport, then] of [
  ['functions', '', 'light', DESKTOP],
  ['overview', 'functions/orders', 'light', { ...DESKTOP, height: 900 }],
  ['code', 'functions/orders/code', 'dark', DESKTOP],
  ['test', 'functions/hello/test', 'light', DESKTOP, (page) => page.getByRole('button', { name: 'Call', exact: true }).click()],
  ['versions', 'functions/orders/versions', 'dark', DESKTOP],
  ['logs', 'functions/orders/logs', 'light', DESKTOP],
  ['dead-letters', 'functions/orders/dead-letters', 'light', { ...DESKTOP, height: 500 }],
  ['machine', 'machine', 'dark', { ...DESKTOP, height: 900 }],
  ['phone', 'functions/orders', 'light', PHONE],
  ['phone-dark', '', 'dark', PHONE],
]) {
  const page = await browser.newPage({ viewport, colorScheme });
  await page.goto(`${hearth.api}/#/${hash}`);
  await sleep(2500);
  for (const choice of await page.getByLabel('The last').all()) await choice.selectOption('15m');
  await then?.(page);
  await sleep(2500);
  const file = `${images}/dashboard-${name}.png`;
  await page.screenshot({ path: file });
  execFileSync('pngquant', ['--force', '--skip-if-larger', '--ext', '.png', '--speed', '1', '128', file]);
  await page.close();
}
await browser.close();
calling = false;
await Promise.all(callers);
