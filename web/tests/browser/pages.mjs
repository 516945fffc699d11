// Every page in every language and theme.
import assert from 'node:assert/strict';
import { settled } from '../../scripts/browser.mjs';
import { at, PAGES } from '../../scripts/pages.mjs';
import { DESKTOP, noSidewaysScroll, noViolation } from './harness.mjs';

const LANGUAGES = ['en', 'zh', 'fr'];
const THEMES = ['light', 'dark'];
/** Where most of what the app is made of is seen. */
const FEW = ['overview', 'movements', 'retention', 'customer', 'unit', 'alerts', 'data', 'wall'];

const middle = (numbers) => numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)];

/** When something was first painted, in a browser that has nothing yet: the middle of five times. */
async function firstPaint(browser, where) {
  const times = [];
  for (let turn = 0; turn < 5; turn += 1) {
    const context = await browser.newContext({ viewport: DESKTOP });
    const page = await context.newPage();
    await page.goto(where);
    const painted = await page.waitForFunction(
      () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
      undefined,
      { timeout: 30000 },
    );
    times.push(await painted.jsonValue());
    await context.close();
  }
  return middle(times);
}

/** How long it takes from a key until what it changes is painted: the middle of five times. */
async function repaint(page, key) {
  const times = [];
  for (let turn = 0; turn < 5; turn += 1) {
    await page.evaluate(() => {
      globalThis.painted = new Promise((done) => {
        let begun = 0;
        addEventListener('keydown', () => (begun = performance.now()), { capture: true, once: true });
        const seen = new MutationObserver(() => {
          seen.disconnect();
          requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
        });
        seen.observe(document.documentElement, { attributes: true });
      });
    });
    await page.keyboard.press(key);
    times.push(await page.evaluate(() => globalThis.painted));
    await settled(page);
  }
  return middle(times);
}

export default async function pages({ check, open, count }, { quick, smoke, browser, url }) {
  if (!smoke) {
    await check('the first page is painted soon, changes soon and takes little memory', async (page) => {
      const empty = 'data:text/html,<meta charset="utf-8"><p>.</p>';
      const [paint, blank] = [await firstPaint(browser, url), await firstPaint(browser, empty)];
      assert.ok(paint - blank <= 600, `painted ${Math.round(paint - blank)} ms after an empty page`);
      await open(page, '/?lang=en');
      for (const [key, what] of [
        ['\\', 'theme'],
        ['l', 'language'],
      ]) {
        const took = await repaint(page, key);
        assert.ok(took <= 200, `another ${what} took ${Math.round(took)} ms`);
      }
      const tools = await page.context().newCDPSession(page);
      await tools.send('HeapProfiler.collectGarbage');
      const { usedSize } = await tools.send('Runtime.getHeapUsage');
      assert.ok(usedSize <= 20e6, `${(usedSize / 1e6).toFixed(1)} MB of heap`);
      console.log(
        `painted ${Math.round(paint - blank)} ms after an empty page, ${(usedSize / 1e6).toFixed(1)} MB of heap`,
      );
    });
  }
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
