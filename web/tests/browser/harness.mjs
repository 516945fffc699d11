// What every browser test has: a page whose console has to stay silent, and what is looked at on each.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { settled } from '../../scripts/browser.mjs';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const DESKTOP = { width: 1440, height: 900 };

/** Runs checks one by one and counts them. `only` names those to run. */
export function harness(browser, { url, api }, only = null) {
  const count = { held: 0, failed: 0 };

  async function check(name, work, { viewport = DESKTOP, expected = [] } = {}) {
    if (only && !name.includes(only)) return;
    const context = await browser.newContext({ viewport, acceptDownloads: true });
    // How far the page jumps is measured from its first moment.
    await context.addInitScript(() => {
      globalThis.shift = 0;
      globalThis.jumps = [];
      const told = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(' ');
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
          if (entry.hadRecentInput) continue;
          globalThis.shift += entry.value;
          const moved = entry.sources.map(({ node, previousRect, currentRect }) => {
            const element = node?.nodeType === 1 ? node : node?.parentElement;
            const what = `${element?.tagName ?? '?'}.${element?.getAttribute('class') ?? ''}`;
            const text = element?.textContent?.trim().slice(0, 30) ?? '';
            return `${what} "${text}" ${told(previousRect)} → ${told(currentRect)}`;
          });
          globalThis.jumps.push(`${entry.value.toFixed(4)} at ${Math.round(entry.startTime)} ms: ${moved.join(' | ')}`);
        }
      }).observe({ type: 'layout-shift', buffered: true });
    });
    const page = await context.newPage();
    const wrong = [];
    page.on('console', (message) => {
      const text = message.text();
      // An answer that takes long is asked for again; the browser tells of the first try.
      const known = [/status of (503|304)/, ...expected];
      if (['error', 'warning'].includes(message.type()) && !known.some((one) => one.test(text))) wrong.push(text);
    });
    page.on('pageerror', (error) => wrong.push(String(error)));
    try {
      await work(page, context);
      assert.deepEqual(wrong, [], 'the console is silent');
      count.held += 1;
    } catch (error) {
      count.failed += 1;
      const words = String(error.message ?? error)
        .split('\n')
        .slice(0, 14);
      console.error(`FAIL ${name}\n     ${words.join('\n     ')}`);
    }
    await context.close();
  }

  async function open(page, where, base = url) {
    await page.goto(base + where);
    await settled(page);
  }

  /** What the API answers; what is still being worked out is asked for again. */
  async function ask(path, query = []) {
    const search = new URLSearchParams(query);
    for (let turn = 0; turn < 60; turn += 1) {
      const response = await fetch(`${api}/api/v1${path}?${search}`);
      if (response.status !== 503) {
        assert.equal(response.status, 200, `${path}?${search}`);
        return response.json();
      }
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    throw new Error(`${path} took too long`);
  }

  return { check, open, ask, count };
}

export async function noViolation(page) {
  // The protocol of the tools is not held by the policy of the page.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return violations.map(
      (one) =>
        `${one.id} ×${one.nodes.length}: ${one.nodes
          .slice(0, 2)
          .map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`)
          .join(' | ')}`,
    );
  });
  assert.deepEqual(found, [], 'axe finds nothing');
}

export async function noSidewaysScroll(page, widths) {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    await page.waitForTimeout(60);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `at ${width} px the page is ${wide} px wide`);
  }
}

/** The rows of a chart's table, exact: the first cell as it is shown, the others as their titles say. */
export async function tableOf(page, id) {
  return page
    .locator(`[data-chart=${id}] tbody tr`)
    .evaluateAll((all) =>
      all.map((row) => [
        row.querySelector('th').textContent.trim(),
        ...[...row.querySelectorAll('td')].map((cell) => cell.title),
      ]),
    );
}

export async function downloaded(page, button) {
  const [download] = await Promise.all([page.waitForEvent('download'), button.click()]);
  return fs.readFileSync(await download.path(), 'utf8');
}
