// A headless Chromium, which does what it is told, one order after the other, and says what it shows.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { hear, load, say, settings } from './judge.mjs';

const { chromium } = (await load('playwright-core')).default;
const axe = await readFile(createRequire(`${settings.packages}/`).resolve('axe-core/axe.min.js'), 'utf-8');
const context = await chromium.launchPersistentContext(settings.profile, {
  executablePath: settings.executable,
  headless: true,
  chromiumSandbox: false,
  args: settings.flags,
  javaScriptEnabled: settings.scripts,
  viewport: { width: 1280, height: 800 },
  deviceScaleFactor: 2,
  locale: 'en-GB',
  timeout: settings.patience,
});
context.setDefaultTimeout(settings.patience);
const [first] = context.pages();
let page = first;
const problems = [];
context.on('weberror', (error) => problems.push(String(error.error())));
context.on('console', (message) => message.type() === 'error' && problems.push(message.text()));

// What can be pressed: a key, or a button or link that says so.
const pressed = (name) =>
  name === 'Enter'
    ? page.keyboard.press(name)
    : page.getByRole('button', { name, exact: true }).or(page.getByRole('link', { name, exact: true })).click();

const orders = {
  open: ({ url }) => page.goto(url).then(() => null),
  fill: ({ label, value }) => page.getByLabel(label, { exact: true }).fill(value),
  type: ({ text }) => page.keyboard.type(text),
  tab: () => page.keyboard.press('Tab'),
  back: () => page.goBack().then(() => null),
  press: ({ name }) => Promise.all([page.waitForEvent('load'), pressed(name)]).then(() => null),
  tap: ({ css }) => page.locator(css).click(),
  read: ({ css }) => page.locator(css).innerText(),
  // What is pressed opens a window, in which the next orders are carried out; it closes by itself.
  popup: async ({ css }) => {
    [page] = await Promise.all([first.waitForEvent('popup'), first.locator(css).click()]);
  },
  closed: async () => {
    if (!page.isClosed()) await page.waitForEvent('close');
    page = first;
  },
  // What a page has from the network comes from a file, or from the file of the same name in a folder.
  instead: ({ pattern, file, folder }) =>
    context.route(pattern, (route) =>
      route.fulfill({ path: file ?? join(folder, basename(new URL(route.request().url()).pathname)) }),
    ),
  network: () => context.unrouteAll({ behavior: 'wait' }), // again: while anything is replaced, Playwright answers preflights itself
  click: ({ name }) => page.getByRole('button', { name, exact: true }).click(),
  see: ({ text }) => page.getByText(text, { exact: true }).waitFor(),
  wait: ({ heading }) => page.getByRole('heading', { name: heading, exact: true, level: 1 }).waitFor(),
  look: async () => ({ url: page.url(), text: await page.locator('body').innerText() }),
  dark: ({ on }) => page.emulateMedia({ colorScheme: on ? 'dark' : 'light' }),
  size: ({ width, height }) => page.setViewportSize({ width, height }),
  wide: () => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth),
  axe: async () => {
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
    const found = violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes.map((node) => node.html) }));
    return { violations: found, passes: passes.length };
  },
  shoot: ({ path, scale }) => page.screenshot({ path, scale, fullPage: true, animations: 'disabled' }).then(() => null),
  cookies: () => context.cookies(),
  problems: () => problems.splice(0),
};

say({ version: context.browser()?.version() ?? '' });
for (let order = await hear(); order.do !== 'end'; order = await hear()) {
  try {
    say({ value: (await orders[order.do](order)) ?? null });
  } catch (error) {
    const text = await page.locator('body').innerText().catch(() => '');
    say({ error: `${order.do}: ${error.message}, at ${page.url()}: ${text} ${problems}` });
  }
}
await context.close();
say({ value: 'ended' });
