// Pictures of every page: light, dark, Chinese, French, phone and wall; and the three of the README.
// RECURVE=… node scripts/screenshots.mjs [FOLDER] [NAME,…]      one by its name, or all that begin with it and a hyphen
// RECURVE=… node scripts/screenshots.mjs --readme               docs/images alone
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, settled } from './browser.mjs';
import { company } from './company.mjs';
import { at, PAGES } from './pages.mjs';

const readme = process.argv[2] === '--readme';
const folder = readme
  ? fileURLToPath(new URL('../../docs/images', import.meta.url))
  : (process.argv[2] ?? 'screenshots');
const only = process.argv[3]?.split(',');
fs.mkdirSync(folder, { recursive: true });

const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const WALL = { width: 1920, height: 1080 };
const english = { lang: 'en', theme: 'light' };
const WALL_OF_DARK = at('/', { lang: 'en', theme: 'dark', tv: '1' });
const EACH = [
  ...PAGES.map(([name, where]) => [`${name}-light`, at(where, english), DESKTOP]),
  ...PAGES.map(([name, where]) => [`${name}-dark`, at(where, { lang: 'en', theme: 'dark' }), DESKTOP]),
  ...PAGES.map(([name, where]) => [`${name}-zh`, at(where, { lang: 'zh', theme: 'light' }), DESKTOP]),
  ...PAGES.map(([name, where]) => [`${name}-fr`, at(where, { lang: 'fr', theme: 'dark' }), DESKTOP]),
  ...PAGES.map(([name, where]) => [`${name}-phone`, at(where, english), PHONE]),
  ['wall', WALL_OF_DARK, WALL],
];
// Only what is in the window, as it is first seen; the wall as large as the others.
const OF_README = [
  ['overview', at('/', english), { width: 1440, height: 1250 }],
  ['explain', at('/?drill=mrr_churned:2026-09-01:month', english), DESKTOP],
  ['wall', WALL_OF_DARK, WALL],
];

const { url, api, program, end } = await company();
if (program) {
  // A goal that is still ahead: those of the demo were reached long ago.
  const goal = { metric: 'mrr', wanted: '300000', by: '2026-12' };
  const headers = { 'content-type': 'application/json' };
  await fetch(`${api}/api/v1/targets`, { method: 'POST', headers, body: JSON.stringify(goal) });
}
const browser = await launch();
for (const [name, where, viewport] of readme ? OF_README : EACH) {
  if (only && !only.some((one) => name === one || name.startsWith(`${one}-`))) continue;
  const scale = viewport === PHONE ? 2 : readme && viewport === WALL ? 0.75 : 1;
  const context = await browser.newContext({ viewport, deviceScaleFactor: scale });
  const page = await context.newPage();
  await page.goto(url + where);
  await settled(page);
  if (name.includes('explain')) await page.locator('.drawer .line').first().click();
  if (!readme && viewport !== WALL && !name.startsWith('drawer')) {
    // As high as the page is, so that what stays beside it while it scrolls is drawn to its end.
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewportSize({ width: viewport.width, height: Math.max(height, viewport.height) });
    await page.waitForTimeout(100);
  }
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
  console.log(name);
  await context.close();
}
await browser.close();
end();
process.exit(0);
