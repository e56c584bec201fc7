import AxeBuilder from '@axe-core/playwright';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startBrowser } from '../../support/browser.ts';
import { Hearth, json, until } from '../../support/hearth.ts';

const GREETING = `def handler(message, context):
    print("greeting", message["body"]["name"])
    return {"hello": message["body"]["name"]}
`;
const FAILING_FIRST = `def handler(message, context):
    if message["headers"]["X-Hearth-Attempt"] == "1":
        raise ValueError("no such order")
`;
/** Every page, and what stands on it once it is there. */
const PLACES = [
  ['', 'greet'],
  ['new', 'Begin with'],
  ['functions/greet/overview', 'Deadline'],
  ['functions/promised/overview', 'Burn rate, 1h'],
  ['functions/greet/code', '"hello"'],
  ['functions/greet/test', 'Path and query'],
  ['functions/greet/versions', '"goodbye"'],
  ['functions/greet/logs', 'greeting Ada'],
  ['functions/greet/calls', 'Details'],
  ['functions/greet/instances', 'Start took'],
  ['functions/greet/dead-letters', 'There are no dead letters'],
  ['machine', 'Memory of instances'],
  ['nodes', '(this one)'],
  ['schedules', 'No function is run by the clock'],
  ['dead-letters', 'There are no dead letters'],
  ['secrets', 'Set a secret'],
] as const;
/** With every kind of thing between them: tables, forms, charts, the editor, the log. */
const VARIED: ReadonlySet<string> = new Set([
  '',
  'new',
  'functions/promised/overview',
  'functions/greet/versions',
  'functions/greet/logs',
  'machine',
]);
const PHONE = { width: 390, height: 780 };

describe('the dashboard, in a browser', () => {
  let hearth: Hearth;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  /** What the browser itself found wrong: errors of the program, and what the Content-Security-Policy kept from happening. */
  let complaints: string[];

  beforeAll(async () => {
    [hearth, browser] = await Promise.all([Hearth.start(), startBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await hearth?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    complaints = [];
    context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    page = await context.newPage();
    page.setDefaultTimeout(30_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // That a function has no split, the API says by 404.
      if (message.type() === 'error' && !message.location().url.endsWith('/traffic')) complaints.push(message.text());
    });
  });
  afterEach(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });

  const open = (hash = '') => page.goto(`${hearth.api}/#/${hash}`);
  const button = (name: string | RegExp, exact = true) => page.getByRole('button', { name, exact });
  const tab = (name: string) =>
    page
      .getByRole('navigation', { name: /^Parts of/ })
      .getByRole('link', { name })
      .click();
  const greet = (name = 'Ada') =>
    hearth.call('/greet', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name }) });
  /** What has the focus, by its text; nothing when it is inside of an editor. */
  const focused = () => page.evaluate('document.activeElement?.textContent.trim()');
  /** Of CodeMirror: the whole text, in place of what is there. */
  async function write(text: string): Promise<void> {
    const editor = page.getByRole('textbox', { name: /^Code/ });
    await editor.click();
    await page.keyboard.press('ControlOrMeta+a');
    // Chromium would carry the colours of replaced text over, which the policy keeps out, and says so.
    await page.keyboard.press('Backspace');
    await page.keyboard.insertText(text);
  }

  it('loads little at first, compressed, and the same files not again', async () => {
    const session = await context.newCDPSession(page);
    await session.send('Network.enable');
    let bytes = 0;
    session.on('Network.loadingFinished', ({ encodedDataLength }) => {
      bytes += encodedDataLength;
    });
    await open();
    await button('Deploy this example').waitFor();
    await page.waitForLoadState('networkidle');
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(200_000);
    const again = await page.reload();
    expect(again?.status()).toBe(200);
    expect(again?.headers()['content-security-policy']).not.toContain('unsafe');
    const kept = await page.evaluate(
      () =>
        performance.getEntriesByType('resource').filter(({ name }) => name.includes('/assets/')) as unknown as {
          transferSize: number;
          name: string;
        }[],
    );
    expect(kept.length).toBeGreaterThan(1);
    const file = await fetch(kept[0]?.name as string, { headers: { 'Accept-Encoding': 'br' } });
    expect([file.headers.get('content-encoding'), file.headers.get('cache-control')]).toEqual(['br', 'public, max-age=31536000, immutable']);
  });

  it('makes a first function with one click, and calls it', async () => {
    await open();
    await button('Deploy this example').click();
    await page.getByRole('heading', { name: 'hello', level: 1 }).waitFor();
    await button('Call').click();
    const answer = page.getByRole('region', { name: 'Answer' });
    await answer.getByText('"hello": "Valera"').waitFor();
    await answer.getByText('greeting Valera').waitFor();
    expect(await answer.textContent()).toMatch(/200[\s\S]*cold start/);
    expect(await answer.textContent()).toContain('ran');
  });

  it('creates a function, changes it in the editor, compares the versions and goes back', async () => {
    await open('new');
    await page.getByLabel('Name', { exact: true }).fill('greet');
    await page.getByLabel('Path', { exact: true }).fill('/greet');
    await write(GREETING);
    await button('Deploy').click();
    await page.getByRole('heading', { name: 'greet', level: 1 }).waitFor();
    expect(await (await greet()).json()).toEqual({ hello: 'Ada' });

    await tab('Code');
    await write(GREETING.replace('"hello"', '"goodbye"'));
    await page.keyboard.press('ControlOrMeta+s');
    await page.getByText('Version 2 is deployed.').waitFor();
    expect(await (await greet()).json()).toEqual({ goodbye: 'Ada' });

    await tab('Versions');
    const differences = page.getByRole('textbox', { name: 'Code of version 1 and version 2' });
    await differences.waitFor();
    expect(await differences.locator('.cm-deletedChunk').textContent()).toContain('"hello"');
    expect(await differences.locator('.cm-changedLine').textContent()).toContain('"goodbye"');
    await button('Roll back to version 1').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
    await page.getByText('Version 1 is in service again.').waitFor();
    await page.getByText('All calls go to version 1.').waitFor();
    expect(await (await greet()).json()).toEqual({ hello: 'Ada' });
  });

  it('keeps what a function was registered with when its code is changed', async () => {
    const settings = {
      timeout_ms: 5000,
      environment: { GREETING: 'hi' },
      memory_mb: 96,
      rate_limit: { requests: 5, per_s: 1, by: 'client' as const },
    };
    await hearth.define('settled', GREETING, settings);
    await open('functions/settled/code');
    await write(`${GREETING}# changed\n`);
    await button('Deploy').click();
    await page.getByText('Version 2 is deployed.').waitFor();
    const [before, after] = (await Promise.all([1, 2].map((version) => hearth.get(`/functions/settled/versions/${version}`)))) as Record<
      string,
      unknown
    >[];
    const same = (version: Record<string, unknown> | undefined) => ({ ...version, version: 0, hash: '', created_at: 0, function_code: '' });
    expect(same(after)).toEqual(same(before));
  });

  it('redrives a dead letter', async () => {
    await hearth.define('orders', FAILING_FIRST, { retry: { attempts: 1 } });
    await hearth.post('/functions/orders/invocations', { body: { order: 1 } });
    await until(async () => ((await hearth.get('/dead-letters?function=orders')) as { dead_letters: unknown[] }).dead_letters.length > 0);
    await open('functions/orders/dead-letters');
    await page.getByRole('cell', { name: /no such order/ }).waitFor();
    await button(/^Redrive \d/, false).click();
    await page.getByText('There are no dead letters').waitFor();
    await tab('Calls');
    await page.getByRole('cell', { name: 'succeeded' }).waitFor();
  });

  it('is usable by the keyboard alone', async () => {
    await open();
    await page.getByRole('link', { name: 'hello' }).waitFor();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the content');
    await page.keyboard.press('/');
    await page.keyboard.type('gree');
    await page.getByRole('option', { name: /greet/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'greet', level: 1 }).waitFor();
    await until(async () => (await focused()) === 'greet');
    while ((await focused()) !== 'Code') await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('textbox', { name: 'Code of greet' }).focus();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('');
    await page.keyboard.press('ControlOrMeta+z');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Tab');
    expect(await focused()).not.toBe('');
  });

  it('asks for a token where the one it has is refused, and offers what its role allows', async () => {
    await open();
    await page.evaluate("sessionStorage.setItem('hearth-token', 'hearth_wrong')");
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page
      .getByRole('alert')
      .getByText(/token is not known here/)
      .waitFor();
    const { token, id } = await json(await hearth.post('/tokens', { name: 'looker', role: 'read' }));
    await page.getByLabel('Token').fill(token as string);
    await button('Sign in').click();
    await page.getByRole('link', { name: 'greet' }).click();
    await tab('Code');
    await page.getByText('Your token may look, not deploy.').waitFor();
    expect(await page.getByRole('textbox', { name: 'Code of greet' }).getAttribute('aria-readonly')).toBe('true');
    expect(await button('Delete').count()).toBe(0);
    await fetch(`${hearth.api}/tokens/${id}`, { method: 'DELETE' });
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    complaints = complaints.filter((text) => !text.includes('401'));
  });

  it('shows what a function prints as it prints it, and finds it again', async () => {
    await open('functions/greet/logs');
    const log = page.getByRole('region', { name: 'Lines of the log' });
    await page.getByText('Live: new lines come by themselves.').waitFor();
    await greet('Grace');
    await log.getByText('greeting Grace').waitFor();
    await page.getByLabel('Has the text').fill('ADA');
    await log.getByText('greeting Grace').waitFor({ state: 'detached' });
    await log.getByText('greeting Ada').first().waitFor();
    await page.getByLabel('Has the text').fill('');
    await log
      .getByRole('listitem')
      .filter({ hasText: 'greeting Grace' })
      .getByRole('button', { name: /^Only the call/ })
      .click();
    await until(async () => (await log.getByRole('listitem').count()) === 1);
  });

  it('draws how calls went', async () => {
    await open('functions/greet');
    const charts = page.getByRole('img');
    await until(async () => (await charts.locator('canvas').count()) === 4);
    expect(await charts.first().getAttribute('aria-label')).toMatch(/^Calls: \d+, 0 % failed/);
    const painted =
      "[...document.querySelectorAll('canvas')].every((one) => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some(Boolean))";
    await until(() => page.evaluate(painted));
  });

  it('tells whether what is promised of a function is held, and how fast its error budget goes', async () => {
    await hearth.define('promised', 'def handler(message, context): return 1 // int(message["query"]["by"])', {
      slo: { availability: 0.999, latency: { threshold_ms: 5000, share: 0.9 } },
    });
    for (const by of [1, 0, 1]) await hearth.call(`/promised?by=${by}`);
    await open('functions/promised/overview');
    const objectives = page.getByRole('region', { name: 'Objectives' });
    await objectives.getByText('2 of 3').waitFor();
    const [availability, latency] = await objectives.getByRole('row').filter({ hasText: '%' }).allTextContents();
    expect(availability).toMatch(/^Availability exhausted99\.9 %66\.667 % 2 of 3.*333/s);
    expect(latency).toMatch(/^Within 5.00 s ok90 %100 % 2 of 2100 %/);
  });

  it('deletes a function after asking', async () => {
    await hearth.define('gone', GREETING);
    await open('functions/gone');
    await button('Delete').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    expect(await hearth.get('/functions/gone')).toMatchObject({ function_name: 'gone' });
    await button('Delete').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('gone is deleted.').waitFor();
    expect(await hearth.get('/functions/gone')).toMatchObject({ code: 'not_found' });
  });

  it.for([
    ['light', undefined, undefined],
    // What is left to see, of the pages that hold every kind of thing.
    ['dark, on a phone', PHONE, ['color-contrast', 'scrollable-region-focusable', 'target-size']],
  ] as const)('has nothing that axe objects to, %s', { timeout: 240_000 }, async ([look, viewport, rules]) => {
    const [colorScheme] = look.split(',') as ['light' | 'dark'];
    await page.emulateMedia({ colorScheme });
    if (viewport) await page.setViewportSize(viewport);
    for (const [place, sign] of rules ? PLACES.filter(([place]) => VARIED.has(place)) : PLACES) {
      await open(place);
      await page.getByText(sign).first().waitFor();
      // There are no frames, whose findings another page would have to put together.
      const axe = new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).setLegacyMode();
      if (rules) axe.withRules([...rules]);
      const { violations } = await axe.analyze();
      expect(violations.map(({ id, nodes }) => `${place}: ${id} ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
      const wider = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      expect(wider, `${place} scrolls sideways`).toBe(0);
    }
  });
});
