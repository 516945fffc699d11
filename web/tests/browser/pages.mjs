// Every page in every language and theme.
import assert from 'node:assert/strict';
import { at, PAGES } from '../../scripts/pages.mjs';
import { noSidewaysScroll, noViolation } from './harness.mjs';

const LANGUAGES = ['en', 'zh', 'fr'];
const THEMES = ['light', 'dark'];
/** Where most of what the app is made of is seen. */
const FEW = ['overview', 'movements', 'retention', 'customer', 'unit', 'alerts', 'data', 'wall'];

export default async function pages({ check, open, count }, { quick, smoke }) {
  const every = [...PAGES, ['wall', '/?tv=1']];
  for (const [place, [name, where]] of (smoke ? every.filter(([one]) => FEW.includes(one)) : every).entries()) {
    const languages = smoke ? [LANGUAGES[place % 3]] : quick ? ['en'] : LANGUAGES;
    for (const lang of languages) {
      for (const theme of smoke ? [THEMES[place % 2]] : THEMES) {
        await check(`${name} ${lang} ${theme}`, async (page) => {
          await open(page, at(where, { lang, theme }));
          assert.equal(await page.locator('h1').count(), 1, 'there is one h1');
          assert.equal(await page.evaluate(() => document.documentElement.lang), lang === 'zh' ? 'zh-Hans' : lang);
          const leaks = page.getByText(/undefined\b(?! here)|\bNaN\b|\[object/).filter({ visible: true });
          assert.equal(await leaks.count(), 0, 'no leak');
          const { shift, jumps, nodes } = await page.evaluate(() => ({
            shift: globalThis.shift,
            jumps: globalThis.jumps,
            nodes: document.querySelectorAll('*').length,
          }));
          assert.ok(smoke || shift <= 0.02, `it shifts by ${shift.toFixed(4)} while it loads\n${jumps.join('\n')}`);
          if (name === 'overview') assert.ok(nodes <= 1800, `${nodes} nodes`);
          await noViolation(page);
          if (theme === 'light') await noSidewaysScroll(page, [390, 1440, 1920]);
        });
      }
    }
    console.log(`${name} (${count.held} held, ${count.failed} failed)`);
  }
}
