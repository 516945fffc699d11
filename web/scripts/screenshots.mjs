// Pictures of every page: light, dark, Chinese, French, phone and wall.
// RECURVE=… node scripts/screenshots.mjs [FOLDER] [NAME,…]
import fs from 'node:fs';
import path from 'node:path';
import { launch, settled } from './browser.mjs';
import { company } from './company.mjs';
import { at, PAGES } from './pages.mjs';

const folder = process.argv[2] ?? 'screenshots';
const only = process.argv[3]?.split(',');
fs.mkdirSync(folder, { recursive: true });

const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const WALL = { width: 1920, height: 1080 };
const shots = [
  ...PAGES.map(([name, where]) => [`${name}-light`, at(where, { lang: 'en', theme: 'light' }), DESKTOP]),
  ...PAGES.map(([name, where]) => [`${name}-dark`, at(where, { lang: 'en', theme: 'dark' }), DESKTOP]),
  ...PAGES.map(([name, where]) => [`${name}-zh`, at(where, { lang: 'zh', theme: 'light' }), DESKTOP]),
  ...PAGES.map(([name, where]) => [`${name}-fr`, at(where, { lang: 'fr', theme: 'dark' }), DESKTOP]),
  ...PAGES.map(([name, where]) => [`${name}-phone`, at(where, { lang: 'en', theme: 'light' }), PHONE]),
  ['wall', at('/', { lang: 'en', theme: 'dark', tv: '1' }), WALL],
];

const { url, end } = await company();
const browser = await launch();
for (const [name, where, viewport] of shots) {
  if (only && !only.some((one) => name === one || name.startsWith(`${one}-`))) continue;
  const context = await browser.newContext({ viewport, deviceScaleFactor: viewport === PHONE ? 2 : 1 });
  const page = await context.newPage();
  await page.goto(url + where);
  await settled(page);
  const whole = viewport !== WALL && !name.startsWith('drawer');
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: whole });
  console.log(name);
  await context.close();
}
await browser.close();
end();
process.exit(0);
