// The app in Chromium, against a real server with the demo company: every page in three languages and two themes, then
// numbers, links, keys and the import of a broken file.  RECURVE=… node tests/browser/run.mjs [--quick]
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { launch, settled } from '../../scripts/browser.mjs';
import { company } from '../../scripts/company.mjs';
import { at, PAGES } from '../../scripts/pages.mjs';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const quick = process.argv.includes('--quick');
const { url, api, inside, end } = await company();
console.log(inside ? 'the app is inside the binary' : 'the binary was built without the app: it stands in front of it');
const browser = await launch();
let failed = 0;
let held = 0;

async function check(name, work, viewport = { width: 1440, height: 900 }) {
  const context = await browser.newContext({ viewport, acceptDownloads: true });
  const page = await context.newPage();
  const wrong = [];
  page.on('console', (message) => {
    // An answer that takes long is asked for again; the browser tells of the first try.
    if (['error', 'warning'].includes(message.type()) && !/status of (503|304)/.test(message.text())) {
      wrong.push(message.text());
    }
  });
  page.on('pageerror', (error) => wrong.push(String(error)));
  try {
    await work(page);
    assert.deepEqual(wrong, [], 'the console is silent');
    held += 1;
  } catch (error) {
    failed += 1;
    console.error(
      `FAIL ${name}\n     ${String(error.message ?? error)
        .split('\n')
        .slice(0, 12)
        .join('\n     ')}`,
    );
  }
  await context.close();
}

async function open(page, where) {
  await page.goto(url + where);
  await settled(page);
}

async function noViolation(page) {
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

async function noSidewaysScroll(page, widths) {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    await page.waitForTimeout(60);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `at ${width} px the page is ${wide} px wide`);
  }
}

async function figures(query) {
  const search = new URLSearchParams(query);
  for (let turn = 0; turn < 60; turn += 1) {
    const response = await fetch(`${api}/api/v1/figures?${search}`);
    if (response.status !== 503) return (await response.json()).figures;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Error('the figures took too long');
}

const languages = quick ? ['en'] : ['en', 'zh', 'fr'];
for (const [name, where] of [...PAGES, ['wall', '/?tv=1']]) {
  for (const lang of languages) {
    for (const theme of ['light', 'dark']) {
      await check(`${name} ${lang} ${theme}`, async (page) => {
        await open(page, at(where, { lang, theme }));
        assert.equal(await page.locator('h1').count(), 1, 'there is one h1');
        assert.equal(await page.evaluate(() => document.documentElement.lang), lang === 'zh' ? 'zh-Hans' : lang);
        assert.equal(
          await page
            .getByText(/undefined|\bNaN\b|\[object/)
            .filter({ visible: true })
            .count(),
          0,
          'no leak',
        );
        await noViolation(page);
        if (theme === 'light') await noSidewaysScroll(page, [390, 1440, 1920]);
      });
    }
  }
  console.log(`${name} (${held} held, ${failed} failed)`);
}

const MONTHS = { from: '2025-11-01', to: '2026-11-01', grain: 'month' };

await check('the numbers of the movement chart are those of the API, and so is its CSV', async (page) => {
  const metrics = [
    'mrr_new',
    'mrr_expansion',
    'mrr_reactivation',
    'mrr_contraction',
    'mrr_churned',
    'mrr_net_new',
    'mrr',
  ];
  const expected = await figures([...metrics.map((metric) => ['metric', metric]), ...Object.entries(MONTHS)]);
  await open(page, '/mrr?lang=en&view=movements');
  const rows = page.locator('[data-chart=movements] tbody tr');
  assert.equal(await rows.count(), 12);
  const shown = await rows.evaluateAll((all) =>
    all.map((row) => [
      row.querySelector('th').textContent.trim(),
      ...[...row.querySelectorAll('td')].map((cell) => cell.title),
    ]),
  );
  for (const [period, ...values] of shown) {
    const wanted = metrics.map(
      (metric) => expected.find((one) => one.metric === metric && one.period === period).value,
    );
    assert.deepEqual(values, wanted, period);
  }
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator('[data-chart=movements] .csv').click(),
  ]);
  const text = fs.readFileSync(await download.path(), 'utf8');
  const lines = text.split('\r\n').filter((line) => /^\d{4}-/.test(line));
  assert.deepEqual(
    lines,
    shown.map((row) => row.join(',')),
  );
});

await check('a card shows the figure of the API, and the drawer opens to the same', async (page) => {
  const [expected] = (await figures([['metric', 'mrr_churned'], ...Object.entries(MONTHS)])).slice(-1);
  await open(page, '/mrr?lang=en');
  const card = page.locator('a[data-metric=mrr_churned]');
  assert.equal(await card.getAttribute('data-value'), expected.value);
  await card.click();
  const big = page.locator('[data-drawer-value]');
  await big.waitFor({ timeout: 60000 });
  assert.equal(await big.getAttribute('data-drawer-value'), expected.value);
  // The same address shows the same screen.
  const address = page.url();
  assert.match(address, /drill=mrr_churned:2026-10-01:month/);
  await page.goto(address);
  await big.waitFor({ timeout: 60000 });
  assert.equal(await big.getAttribute('data-drawer-value'), expected.value);
  // Each line under it is a fact of a file.
  await page.locator('.drawer .line').first().click();
  assert.match(await page.locator('.drawer .facts code').first().textContent(), /\.csv:\d+/);
  await page.goBack();
  await page.goBack();
});

await check('what is running is hatched and said to be so', async (page) => {
  await open(page, '/?lang=en');
  assert.ok((await page.locator('[data-chart=movements] rect[fill^="url(#hatch"]').count()) > 0);
  assert.ok((await page.getByText('to date').count()) > 0);
  assert.ok((await page.getByText('vs Sep 1 – 21').count()) > 0, 'compared with the same days');
});

await check('keys go everywhere', async (page) => {
  await open(page, '/?lang=en');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await page.keyboard.press('g');
  await page.keyboard.press('r');
  await page.waitForURL('**/mrr**');
  await settled(page);
  const chart = page.locator('[data-chart=movements] [role=slider]');
  await chart.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowLeft');
  assert.match(await chart.getAttribute('aria-valuetext'), /^Sep 2026/);
  await page.keyboard.press('Enter');
  await page.locator('[role=dialog]').waitFor();
  assert.match(page.url(), /drill=mrr_net_new:2026-09-01/);
  await page.keyboard.press('Escape');
  await page.locator('[role=dialog]').waitFor({ state: 'detached' });
  await page.waitForTimeout(100);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'slider', 'focus comes back');
  await page.keyboard.press('Control+k');
  await page.locator('[role=combobox]').waitFor();
  await page.keyboard.type('reten');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/retention**');
  await page.keyboard.press('?');
  await page.locator('[role=dialog]').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('\\');
  await page.keyboard.press('l');
  await page.waitForFunction(() => document.documentElement.lang === 'zh-Hans');
});

await check('a cohort is walked with the arrow keys', async (page) => {
  await open(page, '/retention?lang=en');
  await page.locator('[data-chart=cohorts] [data-at="0:0"]').focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('data-at')), '1:1');
});

await check('hidden amounts are nowhere', async (page) => {
  await open(page, '/?lang=en');
  await page.keyboard.press('.');
  await page.waitForTimeout(100);
  const text = await page.locator('main').innerText();
  assert.doesNotMatch(text, /\$\d/, 'no amount is left');
  assert.doesNotMatch(text, /c0000\d{4}/, 'no name is left');
});

await check('an address that cannot be read is said, and nothing breaks', async (page) => {
  await open(page, '/?lang=en&range=13m&f=nonsense');
  assert.equal(await page.getByText('range=13m, f=nonsense').count(), 1);
});

await check('a broken file: what is wrong is said, and nothing is written', async (page) => {
  await open(page, '/data?lang=en');
  const before = await page.locator('.verdict').innerText();
  await page.locator('input[type=file]').setInputFiles({
    name: 'subscriptions.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(
      'subscription,customer,plan,currency,amount,interval,quantity,status,start,end\n' +
        's1,acme,team,EUR,49.00,month,3,active,2024-01-15,\n' +
        's2,acme,team,EUR,many,month,3,active,2024-01-15,\n' +
        's3,acme,team,EUR,49.00,fortnight,3,active,the first of May,\n',
    ),
  });
  await page.getByText(/1 rows can be read, 2 cannot/).waitFor({ timeout: 60000 });
  assert.ok((await page.locator('.issues li').count()) >= 2);
  await noViolation(page);
  await page.reload();
  await settled(page);
  assert.equal(await page.locator('.verdict').innerText(), before);
});

await check('what arrives shows on an open page at once', async (page) => {
  await open(page, '/?lang=en');
  const flags = page.locator('[data-chart=movements] .note circle');
  const before = await flags.count();
  const words = `noted ${Date.now() % 100000}`;
  const response = await fetch(`${api}/api/v1/notes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ day: '2026-09-15', words }),
  });
  assert.equal(response.status, 200, await response.text());
  await page.waitForFunction(
    (count) => document.querySelectorAll('[data-chart=movements] .note circle').length === count,
    before + 1,
    { timeout: 30000 },
  );
});

await check('the close of a month prints on paper', async (page) => {
  await open(page, '/month/2026-09?lang=en');
  const paper = await page.pdf({ format: 'A4', landscape: true, printBackground: true, scale: 0.6 });
  const count = paper.toString('latin1').match(/\/Type\s*\/Page[^s]/g).length;
  assert.ok(count >= 1 && count <= 5, `${count} pages`);
});

await check('the page does not jump while it loads', async (page) => {
  await page.addInitScript(() => {
    globalThis.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await open(page, '/?lang=en&theme=light');
  const { shift, nodes } = await page.evaluate(() => ({
    shift: globalThis.shift,
    nodes: document.querySelectorAll('*').length,
  }));
  assert.ok(shift <= 0.02, `it shifts by ${shift}`);
  assert.ok(nodes <= 1800, `${nodes} nodes`);
});

console.log(`${held} held, ${failed} failed`);
await browser.close();
end();
process.exit(failed > 0 ? 1 : 0);
