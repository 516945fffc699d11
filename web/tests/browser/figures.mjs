// What charts and cards show is what the API says, and what the API says is what the command line prints.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { settled } from '../../scripts/browser.mjs';
import { NOW } from '../../scripts/company.mjs';
import { at, PAGES } from '../../scripts/pages.mjs';
import { downloaded, noViolation, tableOf } from './harness.mjs';

const MONTHS = { from: '2025-11-01', to: '2026-11-01', grain: 'month' };
const MOVED = ['mrr_new', 'mrr_expansion', 'mrr_reactivation', 'mrr_contraction', 'mrr_churned', 'mrr_net_new', 'mrr'];

/** Charts whose rows are put together of several rows of an answer: each of their numbers is in one of them. */
const OF_SEVERAL = ['cohorts', 'segments', 'recognition', 'forecast', 'bridge'];
/** Charts that count rows of an answer; what they should say is counted here as well. */
const COUNTED = ['spread', 'pareto'];

/** What commands print is what the API answers under the same name. */
const LISTS = [
  [['movements', '--from', '2026-09-01', '--to', '2026-10-01'], '/movements', { from: '2026-09-01', to: '2026-10-01' }],
  [['cohorts'], '/cohorts', {}],
  [['cohorts', '--age', '2'], '/cohorts/customers', { age: '2' }],
  [['health'], '/health', {}],
  [['retention'], '/retention', {}],
  [['funnel', 'visit', 'signup', 'customer'], '/funnel', { step: ['visit', 'signup', 'customer'] }],
  [['funnel', 'signup', 'customer', '--people', '2'], '/funnel/people', { step: ['signup', 'customer'], people: '2' }],
  [['payback'], '/payback', {}],
  [['recognition'], '/recognition', {}],
  [['reconcile'], '/reconcile', {}],
  [['prices'], '/prices', {}],
  [['levers'], '/levers', {}],
  [['experiments'], '/experiments', {}],
  [['anomalies'], '/anomalies', {}],
  [['verdict'], '/verdict', {}],
  [['signals'], '/signals', {}],
  [['advice'], '/advice', {}],
  [['check'], '/check', {}],
  [['forecast', '--lang', 'fr'], '/forecast', { lang: 'fr' }],
];

const isNumber = (text) => /^-?\d+(\.\d+)?$/.test(text);

/** Every object of an answer, with the texts and numbers that it has itself. */
function objectsOf(answer) {
  if (Array.isArray(answer)) return answer.flatMap(objectsOf);
  if (answer === null || typeof answer !== 'object') return [];
  const own = new Set(
    Object.values(answer)
      .filter((value) => ['string', 'number'].includes(typeof value))
      .map(String),
  );
  return [own, ...Object.values(answer).flatMap(objectsOf)];
}

export default async function figures({ check, open, ask }, { api, program, data, now }) {
  const asked = async (metrics, more = MONTHS) =>
    (await ask('/figures', [...metrics.map((metric) => ['metric', metric]), ...Object.entries(more)])).figures;

  for (const [name, where] of PAGES.filter(([one]) => one !== 'drawer')) {
    await check(
      `the tables of the charts of ${name} have the numbers of the API, and so have their CSV`,
      async (page) => {
        const bodies = [];
        page.on('response', (response) => {
          // The stream of news never ends.
          const isAnswer = response.url().includes('/api/v1/') && /json/.test(response.headers()['content-type'] ?? '');
          if (isAnswer && response.ok()) bodies.push(response.json().catch(() => null));
        });
        await open(page, at(where, { lang: 'en', view: 'table' }));
        const answered = (await Promise.all(bodies)).flatMap(objectsOf);
        const charts = await page.locator('[data-chart]').evaluateAll((all) => all.map((one) => one.dataset.chart));
        for (const chart of charts) {
          const shown = await tableOf(page, chart);
          assert.ok(shown.length > 0, `${chart} has rows`);
          for (const [first, ...cells] of COUNTED.includes(chart) ? [] : shown) {
            const numbers = cells.filter(isNumber);
            // A row over time is of the figures of its period; another one is a row of an answer.
            const holds = OF_SEVERAL.includes(chart)
              ? numbers.every((value) => answered.some((own) => own.has(value)))
              : /^\d{4}-\d\d-\d\d$/.test(first)
                ? numbers.every((value) => answered.some((own) => own.has(first) && own.has(value)))
                : answered.some((own) => numbers.every((value) => own.has(value)));
            assert.ok(holds, `${chart}: ${first} ${cells.join(', ')}`);
          }
          const text = await downloaded(page, page.locator(`[data-chart="${chart}"] .csv`));
          const rows = text.trimEnd().split('\r\n').slice(-shown.length);
          const numbersOf = (line) => line.split(',').filter(isNumber);
          assert.deepEqual(
            rows.map(numbersOf),
            shown.map((row) => numbersOf(row.join(','))),
            `the CSV of ${chart}`,
          );
        }
      },
    );
  }

  await check('the movements over a year are those of the API, period by period', async (page) => {
    await open(page, '/mrr?lang=en&view=table');
    const expected = await asked(MOVED);
    for (const [period, ...values] of await tableOf(page, 'movements')) {
      const wanted = MOVED.map(
        (metric) => expected.find((one) => one.metric === metric && one.period === period).value,
      );
      assert.deepEqual(values, wanted, period);
    }
  });

  await check('how health is spread is counted right', async (page) => {
    const rows = (await ask('/health', { limit: '10000' })).rows.filter((row) => Number(row.mrr) > 0);
    await open(page, '/health?lang=en&view=table');
    const shown = await tableOf(page, 'spread');
    for (const [place, [band, risk, fine]] of shown.entries()) {
      const least = place * 10;
      const within = rows.filter(
        (row) => row.health !== null && row.health >= least && (row.health < least + 10 || place === 9),
      );
      assert.deepEqual(
        [Number(risk), Number(fine)],
        [within.filter((row) => row.at_risk === 'yes').length, within.filter((row) => row.at_risk !== 'yes').length],
        band,
      );
    }
  });

  await check('the overview says which rules fired, what has to be acted on first', async (page) => {
    const { verdict } = await ask('/overview');
    const kinds = ['act_now', 'improve', 'good'];
    const fired = kinds.flatMap((kind) => verdict.filter((row) => row.kind === kind && row.state === 'fired'));
    assert.ok(fired.length > 0, 'some fired');
    await open(page, '/?lang=en');
    const said = await page.locator('.checks .check').allInnerTexts();
    const words = { act_now: 'Act', improve: 'Watch', good: 'Pass' };
    assert.deepEqual(
      said.map((text) => text.replace(/\s+/g, ' ').trim()),
      fired.slice(0, 5).map((row) => `${words[row.kind]} ${row.title}`),
    );
  });

  await check('what the largest customers pay together is added up right', async (page) => {
    const { rows } = await ask('/customers', { paying: 'true', sort: '-mrr', limit: '10000' });
    const whole = rows.reduce((all, row) => all + Number(row.mrr), 0);
    await open(page, '/customers?lang=en&view=table');
    const shown = await tableOf(page, 'pareto');
    assert.ok(shown.length > 10, `${shown.length} rows`);
    assert.deepEqual(shown.at(-1).slice(1).map(Number), [1, 1], 'all pay all');
    for (const [count, customers, share] of shown.map((row) => row.map((cell) => Number(cell.replace(',', ''))))) {
      const paid = rows.slice(0, count).reduce((all, row) => all + Number(row.mrr), 0);
      assert.ok(Math.abs(customers - count / rows.length) < 1e-5, `${count}: ${customers}`);
      assert.ok(Math.abs(share - paid / whole) < 1e-5, `${count}: ${share}`);
    }
  });

  await check('a bridge over the window and parts as shares are of the figures of the API', async (page) => {
    await open(page, '/mrr?lang=en&view=table&bridge=window&stack=share');
    const window = await asked(MOVED, { from: '2025-11-01', to: '2026-11-01', grain: 'month' });
    const of = (metric) => window.filter((one) => one.metric === metric).map((one) => Number(one.value));
    const steps = (await tableOf(page, 'bridge')).map(([, amount]) => Number(amount));
    const total = (metric) => of(metric).reduce((all, value) => all + value, 0);
    assert.ok(Math.abs(steps[1] - total('mrr_new')) < 0.005, `${steps[1]} of ${total('mrr_new')}`);
    assert.ok(Math.abs(steps.slice(0, -1).reduce((all, value) => all + value, 0) - steps.at(-1)) < 0.005);
    assert.equal(steps.at(-1), of('mrr').at(-1));
    for (const [period, ...shares] of await tableOf(page, 'segments')) {
      const whole = shares.reduce((all, share) => all + Number(share), 0);
      assert.ok(Math.abs(whole - 1) < 1e-4, `${period}: ${whole}`);
    }
  });

  await check('MRR by plan lies as areas on each other, as high as MRR is', async (page) => {
    await open(page, '/mrr?lang=en');
    const chart = page.locator('[data-chart=segments]');
    await chart.getByRole('button', { name: 'Area', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.waitForURL('**draw=area**');
    const address = page.url();
    await page.goto('about:blank');
    await page.goto(address);
    await settled(page);
    assert.equal(await chart.locator('rect.part').count(), 0);
    // The upper edge of the last area is the whole: it is as high as the axis says that MRR is.
    const figures = await asked(['mrr']);
    const edge = await chart.locator('.plot > svg').evaluate((svg) => {
      const ticks = [...svg.querySelectorAll('text.axis[text-anchor=end]')].map((text) =>
        Number(text.getAttribute('y')),
      );
      const layers = [...svg.querySelectorAll('path.layer')].map((path) =>
        [...path.getAttribute('d').matchAll(/[ML]([\d.]+),([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]),
      );
      return {
        zero: Math.max(...ticks),
        top: Math.min(...ticks),
        said: svg.querySelectorAll('text.axis[text-anchor=end]').length,
        layers,
      };
    });
    const highest = edge.layers.flatMap((points) => points.slice(0, figures.length).map(([, y]) => y));
    const high = (index) => edge.zero - Math.min(...edge.layers.map((points) => points[index][1]));
    const last = figures.length - 1;
    const ratio = high(0) / high(last);
    assert.ok(Math.abs(ratio - Number(figures[0].value) / Number(figures[last].value)) < 0.01, `${ratio}`);
    assert.ok(highest.every((y) => y <= edge.zero + 0.5 && y >= edge.top - 60));
    // Its table has the same parts, and opening it opens the period.
    const plot = chart.locator('[role=slider]');
    await plot.focus();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    const said = await plot.getAttribute('aria-valuetext');
    await page.goto(`${address}&view=segments`);
    await settled(page);
    const cells = await chart.locator('tbody tr:nth-last-child(2) td').allTextContents();
    for (const cell of cells.slice(0, 4)) assert.ok(said.includes(cell.trim()), `${cell} is in “${said}”`);
    await noViolation(page);
  });

  await check('what was asked and answered last leads to who said it', async (page) => {
    await open(page, '/service?lang=en');
    for (const [list, path, order] of [
      ['Latest tickets', '/facts/tickets', '-opened'],
      ['Latest answers', '/facts/surveys', '-answered'],
    ]) {
      const { rows } = await ask(path, { sort: order, limit: '600' });
      const wanted = rows.filter((row) => row.day <= NOW).slice(0, 10);
      const links = page.getByRole('group', { name: list }).locator('tbody a');
      assert.deepEqual(
        await links.evaluateAll((all) => all.map((one) => [one.title, one.textContent.trim()])),
        wanted.map((row) => [row.customer, row.customer_name ?? row.customer]),
      );
    }
    await page.getByRole('group', { name: 'Latest tickets' }).locator('tbody a').first().focus();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/customers/c0*');
    await settled(page);
    assert.match(await page.locator('main').innerText(), /Tickets/i);
  });

  await check('what a chart says to the keyboard is what its table shows', async (page) => {
    for (const [where, chart] of [
      ['/mrr', 'movements'],
      ['/retention', 'churn'],
      ['/revenue', 'basis'],
      ['/runway', 'burn'],
      ['/service', 'csat'],
    ]) {
      await open(page, `${where}?lang=en&view=table`);
      const cells = await page.locator(`[data-chart=${chart}] tbody tr:last-child td`).allTextContents();
      await open(page, `${where}?lang=en`);
      const plot = page.locator(`[data-chart=${chart}] [role=slider]`);
      await plot.focus();
      await page.keyboard.press('End');
      const said = await plot.getAttribute('aria-valuetext');
      for (const cell of cells) assert.ok(said.includes(cell.trim()), `${chart}: ${cell} is in “${said}”`);
    }
  });

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

  await check('a ratio opens to what it is counted from, and that makes it', async (page) => {
    const [cac] = await asked(['cac'], { from: '2026-09-01', to: '2026-10-01', grain: 'month' });
    const opened = await ask('/explain', { metric: 'cac', period: '2026-09', lang: 'en' });
    const part = (measure) => Number(opened.measures.find((one) => one.measure === measure).sum);
    const cost = part('marketing_cost') + part('sales_cost');
    assert.ok(Math.abs(cost / part('customers_with_new') - Number(cac.value)) < 1e-6);
    await open(page, '/unit?lang=en&drill=cac:2026-09-01:month');
    await page.locator('.drawer .steps').waitFor({ timeout: 60000 });
    const steps = await page.locator('.drawer .steps li').count();
    assert.equal(steps, opened.measures.length);
  });

  await check('every card of every page shows the figure of the API', async (page) => {
    for (const [name, where] of PAGES.filter(([one]) => !['metrics', 'drawer', 'month', 'customer'].includes(one))) {
      const bodies = [];
      const heard = (response) => {
        if (/\/api\/v1\/(figures|overview)\?/.test(response.url()) && response.ok()) {
          bodies.push(response.json().catch(() => null));
        }
      };
      page.on('response', heard);
      await open(page, at(where, { lang: 'en' }));
      page.off('response', heard);
      const answered = (await Promise.all(bodies)).flatMap((body) => [
        ...(body?.figures ?? []),
        ...(body?.before ?? []),
      ]);
      const cards = await page
        .locator('a[data-metric]')
        .evaluateAll((all) => all.map((one) => [one.dataset.metric, one.dataset.value]));
      for (const [metric, value] of cards) {
        const [id] = metric.split('.');
        const found = answered.some((one) => one.metric === id && (one.value ?? '') === value);
        assert.ok(found, `${name}: ${metric} shows ${value}`);
      }
    }
  });

  await check('two saved scenarios stand side by side as the API forecasts them', async (page) => {
    const kept = async (name, set) => {
      const response = await fetch(`${api}/api/v1/views`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name, address: `/forecast?${new URLSearchParams(set.map((one) => ['set', one]))}` }),
      });
      assert.equal(response.status, 200, await response.text());
    };
    const [few, dear] = [['churn=0.01'], ['arpa_new=400', 'churn_0=0.05']];
    await kept('fewer leave', few);
    await open(page, '/forecast?lang=en&horizon=12&set=arpa_new=400&set=churn_0=0.05');
    // The second is saved on the page, by keys, and stands beside the first once that is chosen.
    await page.getByLabel('Name of the scenario').fill('dearer');
    await page.keyboard.press('Enter');
    await page.waitForURL('**scenarios=learnt,**');
    await page.getByLabel('First scenario').selectOption({ label: 'fewer leave' });
    await settled(page);
    const address = page.url();
    await page.goto('about:blank');
    await page.goto(`${address}&view=scenarios&level=95`);
    await settled(page);
    const forecast = async (set) =>
      (
        await ask('/forecast', [
          ...Object.entries({ metric: 'mrr', horizon: '12', model: 'drivers', level: '95' }),
          ...set.map((one) => ['set', one]),
        ])
      ).rows;
    const [one, other] = [await forecast(few), await forecast(dear)];
    const shown = await tableOf(page, 'scenarios');
    assert.deepEqual(
      shown.map((row) => row.slice(0, 7)),
      one.map((row, month) => [
        row.period,
        ...[row, other[month]].flatMap((from) => [from.mean, from.lower_95, from.upper_95]),
      ]),
    );
    for (const [, first, , , second, , , difference] of shown) {
      assert.ok(Math.abs(Number(second) - Number(first) - Number(difference)) < 1e-6, difference);
    }
    // What they assume differently, and nothing else.
    const drivers = async (set) =>
      (await ask('/forecast', [['drivers', 'true'], ...set.map((each) => ['set', each])])).rows;
    const [learnt, changed] = [await drivers(few), await drivers(dear)];
    const apart = learnt.filter((row, place) => row.value !== changed[place].value).map((row) => row.driver);
    const named = page.getByRole('group', { name: 'What they assume differently' }).locator('tbody th span');
    assert.deepEqual(await named.evaluateAll((all) => all.map((each) => each.title)), apart);
    await noViolation(page);
    // One that is taken away is said to be gone, and the page stays.
    await page.getByRole('button', { name: 'Remove: dearer' }).click();
    await page.getByText('is no longer saved').waitFor();
    await page.getByRole('button', { name: 'Remove: fewer leave' }).click();
    await page.getByRole('button', { name: 'Remove: fewer leave' }).waitFor({ state: 'detached' });
  });

  await check('the strip of a rule says in which months it fired, as the API judges them', async (page) => {
    await open(page, '/alerts?lang=en&only=all');
    const periods = Array.from({ length: 12 }, (_, back) =>
      new Date(Date.UTC(2026, 8 - back, 1)).toISOString().slice(0, 7),
    ).reverse();
    const judged = [];
    for (const period of periods) {
      judged.push([...(await ask('/verdict', { period })).rows, ...(await ask('/signals', { period })).rows]);
    }
    const strips = await page
      .getByRole('group', { name: 'Rules and signals' })
      .locator('tbody tr')
      .evaluateAll((all) =>
        all.map((row) => [
          row.querySelector('th').textContent.trim(),
          [...row.querySelectorAll('svg[role=img] rect')].map((rect) => /: Fired$/.test(rect.textContent.trim())),
        ]),
      );
    assert.ok(strips.length > 10, `${strips.length} rules`);
    assert.ok(
      strips.some(([, fired]) => fired.includes(true) && fired.includes(false)),
      'some came and went',
    );
    for (const [name, fired] of strips) {
      const ofMonths = judged.map((rows) =>
        rows.some((row) => (row.title ?? row.rule.replaceAll('_', ' ')) === name && row.state === 'fired'),
      );
      assert.deepEqual(fired, ofMonths, name);
    }
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

  if (!program) return;
  const options = ['--data', data, '--now', now];
  const printed = (words) =>
    JSON.parse(
      execFileSync(program, [...options, ...words, '--format', 'json'], {
        encoding: 'utf8',
        maxBuffer: 256 * 1024 * 1024,
      }),
    );

  await check('the command line prints what the API answers, metric by metric', async () => {
    const { metrics } = await ask('/catalogue');
    const whole = metrics.filter((one) => one.dimensions.length === 0);
    const all = whole.flatMap(({ id, variants }) =>
      variants.length > 0 ? variants.map((variant) => (variant.id ? `${id}.${variant.id}` : id)) : [id],
    );
    assert.ok(all.length > 100, `${all.length} metrics`);
    for (let first = 0; first < all.length; first += 20) {
      const some = all.slice(first, first + 20);
      const lines = printed(['metric', ...some, '--from', MONTHS.from, '--to', MONTHS.to]);
      const answered = await asked(some);
      assert.deepEqual(
        lines.map((row) => [row.metric, row.variant ?? '', row.period, row.value]),
        answered.map((row) => [row.metric, row.variant, row.period, row.value]),
      );
    }
  });

  await check('lists say what customers are called, as their facts do', async () => {
    const { rows: facts } = await ask('/facts/customers', { limit: '10000' });
    const names = new Map(facts.map((fact) => [fact.id, fact.name ?? null]));
    const now = { from: '2026-09-01', to: '2026-10-01', limit: '10000' };
    const lists = { '/movements': now, '/customers': {}, '/health': {}, '/advice': { calls: 'true' } };
    for (const [path, query] of Object.entries(lists)) {
      const { rows } = await ask(path, query);
      assert.ok(rows.length > 0, path);
      for (const row of rows)
        assert.equal(row.customer_name, names.get(row.customer) ?? null, `${path} ${row.customer}`);
    }
    const { at_risk: risky } = await ask('/overview');
    for (const row of risky) assert.equal(row.customer_name, names.get(row.customer) ?? null);
  });

  for (const [words, path, query] of LISTS) {
    await check(`recurve ${words.join(' ')} prints what ${path} answers`, async () => {
      const lines = printed(words);
      const pairs = Object.entries({ ...query, limit: '10000' }).flatMap(([key, value]) =>
        [value].flat().map((one) => [key, one]),
      );
      const { rows } = await ask(path, pairs);
      assert.ok(lines.length > 0, 'something is printed');
      // What people call a customer is told over the web alone.
      const known = (row) =>
        Object.fromEntries(
          Object.entries(row)
            .filter(([column]) => column !== 'customer_name')
            .map(([column, value]) => [column, String(value ?? '')]),
        );
      assert.deepEqual(rows.map(known), lines.slice(0, rows.length).map(known));
    });
  }
}
