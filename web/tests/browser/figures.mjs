// What charts and cards show is what the API says, and what the API says is what the command line prints.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { downloaded, tableOf } from './harness.mjs';

const MONTHS = { from: '2025-11-01', to: '2026-11-01', grain: 'month' };
const MOVED = ['mrr_new', 'mrr_expansion', 'mrr_reactivation', 'mrr_contraction', 'mrr_churned', 'mrr_net_new', 'mrr'];

/** The charts over time of each page: where, which, and the metrics of their columns. */
const CHARTS = [
  ['/', 'movements', MOVED],
  ['/mrr', 'movements', MOVED],
  ['/retention', 'churn', null],
  ['/revenue', 'basis', null],
  ['/runway', 'burn', null],
  ['/unit', 'ltv-cac', null],
  ['/service', 'tickets', null],
];

export default async function figures({ check, open, ask }, { program, data, now }) {
  const asked = async (metrics, more = MONTHS) =>
    (await ask('/figures', [...metrics.map((metric) => ['metric', metric]), ...Object.entries(more)])).figures;

  for (const [where, chart, metrics] of CHARTS) {
    await check(`the table of ${chart} on ${where} has the numbers of the API, and so has its CSV`, async (page) => {
      const answers = [];
      page.on('response', async (response) => {
        if (/\/api\/v1\/(figures|overview)\?/.test(response.url()) && response.ok()) {
          answers.push(...((await response.json().catch(() => ({}))).figures ?? []));
        }
      });
      await open(page, `${where}?lang=en&view=table`);
      const shown = await tableOf(page, chart);
      assert.ok(shown.length >= 10, `${shown.length} rows`);
      if (metrics) {
        const expected = await asked(metrics);
        for (const [period, ...values] of shown) {
          const wanted = metrics.map(
            (metric) => expected.find((one) => one.metric === metric && one.period === period).value,
          );
          assert.deepEqual(values, wanted, period);
        }
      } else {
        // Whatever the columns are, each value came from the API, of that period.
        for (const [period, ...values] of shown) {
          for (const value of values.filter((one) => one !== '')) {
            assert.ok(
              answers.some((one) => one.period === period && one.value === value),
              `${value} of ${period}`,
            );
          }
        }
      }
      const text = await downloaded(page, page.locator(`[data-chart=${chart}] .csv`));
      const lines = text.split('\r\n').filter((line) => /^\d{4}-/.test(line));
      assert.deepEqual(
        lines,
        shown.map((row) => row.join(',')),
      );
    });
  }

  await check('a card shows the figure of the API, and the drawer opens to the same', async (page) => {
    const [expected] = (await asked(['mrr_churned'])).slice(-1);
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

  await check('levers, prices and what was off are those of the API', async (page) => {
    const levers = (await ask('/levers', { months: '12', limit: '10000' })).rows.filter((row) => row.months === 12);
    await open(page, '/levers?lang=en&view=table');
    const shown = await tableOf(page, 'levers');
    assert.deepEqual(
      shown.map(([name, ...values]) => [name, ...values]),
      levers.map((row) => [row.name, row.mrr_effect, row.mrr_lower, row.mrr_upper, row.mrr_base]),
    );
    const prices = (await ask('/prices', { limit: '10000' })).rows;
    await open(page, '/prices?lang=en&view=table');
    const priced = await tableOf(page, 'prices');
    assert.deepEqual(
      priced.map((row) => row.slice(3, 6)),
      prices.map((row) => [row.mrr, row.mrr_at_list, row.difference]),
    );
    const off = (await ask('/anomalies', { grain: 'week', limit: '10000' })).rows;
    await open(page, '/alerts?lang=en');
    if (off.length > 0) await page.getByText(off[0].says).waitFor();
  });

  if (program) {
    await check('the command line prints what the API answers', async () => {
      const metrics = [...MOVED, 'nrr.t12m', 'customer_churn.opening', 'quick_ratio', 'arpa', 'ltv_cac'];
      const words = ['metric', ...metrics, '--from', MONTHS.from, '--to', MONTHS.to, '--format', 'json'];
      const options = ['--data', data, '--now', now];
      const printed = JSON.parse(execFileSync(program, [...options, ...words], { encoding: 'utf8' }));
      const answered = await asked(metrics);
      assert.deepEqual(
        printed.map((row) => [row.metric, row.variant ?? '', row.period, row.value]),
        answered.map((row) => [row.metric, row.variant, row.period, row.value]),
      );
    });
  }
}
