// States: links that bring the same screen back, what is said where facts are missing, a server that goes away and comes
// back.
import assert from 'node:assert/strict';
import { settled } from '../../scripts/browser.mjs';
import { own } from '../../scripts/company.mjs';
import { at, PAGES } from '../../scripts/pages.mjs';
import { DESKTOP, noViolation } from './harness.mjs';

/** While a server is away, the browser tells of each question that nobody answers. */
const AWAY = [/ERR_|status of 50\d|MIME type/];

/** What is on the screen: the page, and what was opened over it. */
async function shown(page) {
  const over = await page.locator('[role=dialog]').allInnerTexts();
  return [await page.locator('main').innerText(), ...over].join('\n');
}

/** How many notes the flags of the movements stand for. */
const noted = () =>
  [...document.querySelectorAll('[data-chart=movements] .note')].reduce(
    (sum, flag) => sum + Number(flag.dataset.notes),
    0,
  );

export default async function states({ check, open, ask }, { api, program, browser }) {
  await check('a link that was passed on shows the same screen', async (page) => {
    const passed = [
      at('/', { range: '6m', cmp: 'yoy', f: 'plan:is:team', drill: 'mrr_new:2026-09-01:month' }),
      at('/mrr', { from: '2026-01-01', to: '2026-06-30', grain: 'week', view: 'table', by: 'country' }),
      at('/retention', { measure: 'customers', absolute: '1', cohorts: 'quarter' }),
      at('/customers', { sort: 'first_paid', q: 'labs', f: 'country:is:FR' }),
      at('/health', { only: 'all', sort: '-change' }),
      at('/levers', { horizon: '24' }),
      at('/forecast', { metric: 'customers', horizon: '18' }),
      at('/week', { week: '2026-09-07' }),
      at('/', { cur: 'EUR', lang: 'fr', theme: 'dark' }),
      at('/customers', { more: 'customers:2' }),
      at('/forecast', { set: 'churn=0.02', scenarios: 'learnt,above', level: '50' }),
      at('/mrr', { bridge: 'window', drill: 'mrr_new:2025-11-01..2026-10-01:month', more: 'drill:1,movements:1' }),
    ];
    for (const where of passed) {
      await open(page, where.includes('lang=') ? where : at(where, { lang: 'en' }));
      const [address, screen] = [page.url(), await shown(page)];
      const other = await browser.newContext({ viewport: DESKTOP });
      const guest = await other.newPage();
      await guest.goto(address);
      await settled(guest);
      assert.equal(await shown(guest), screen, where);
      assert.equal(guest.url(), address, 'the address stays as it is');
      await other.close();
    }
  });

  await check('what is chosen by hand stands in the address, and going back takes it away', async (page) => {
    await open(page, '/mrr?lang=en');
    await page.keyboard.press('2');
    await page.waitForURL('**range=**');
    await page.keyboard.press('c');
    await page.waitForURL('**cmp=yoy**');
    await page.keyboard.press('t');
    await page.waitForURL('**view=table**');
    await page.keyboard.press('t');
    await settled(page);
    const [address, screen] = [page.url(), await shown(page)];
    await page.locator('[data-chart=movements] [role=slider]').focus();
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await page.locator('[role=dialog]').waitFor();
    assert.match(page.url(), /drill=/);
    await page.goBack();
    await page.locator('[role=dialog]').waitFor({ state: 'detached' });
    assert.equal(page.url(), address);
    await page.evaluate(() => document.activeElement.blur());
    await settled(page);
    assert.equal(await shown(page), screen);
  });

  await check('how much of a list is shown stands in the address, and a link shows as much', async (page) => {
    for (const [where, list, first, then] of [
      ['/mrr', 'Every movement', 40, 120],
      ['/customers', 'Customers', 50, 150],
      ['/health?only=all', 'Customers at risk', 25, 75],
      ['/prices', 'Customers not on the list price', 15, null],
      ['/data', 'Imports', 12, null],
    ]) {
      await open(page, at(where, { lang: 'en' }));
      const rows = page.getByRole('group', { name: list, exact: true }).locator('tbody tr');
      assert.equal(await rows.count(), first, where);
      const more = page.getByRole('group', { name: list, exact: true }).getByRole('button', { name: 'Show more' });
      await more.focus();
      await page.keyboard.press('Enter');
      await page.waitForURL('**more=**');
      await settled(page);
      const grown = await rows.count();
      assert.ok(then === null ? grown > first : grown === then, `${where}: ${grown} rows`);
      const screen = await shown(page);
      await page.goto('about:blank');
      await page.goBack();
      await settled(page);
      assert.equal(await shown(page), screen, `${where} again`);
    }
    // Of what is opened as much is shown, until it is shut.
    await open(page, '/mrr?lang=en&drill=mrr_expansion:2025-12-01..2026-10-01:month');
    const lines = page.locator('.drawer .groups > li');
    await lines.first().waitFor({ timeout: 60000 });
    const few = await lines.count();
    await page.locator('.drawer').getByRole('button', { name: 'Show more' }).click();
    assert.match(page.url(), /more=drill:1/);
    const many = await lines.count();
    assert.ok(few === 50 && many > few, `${few}, then ${many}`);
    await page.reload();
    await lines.first().waitFor({ timeout: 60000 });
    assert.equal(await lines.count(), many);
    await page.keyboard.press('Escape');
    await page.locator('.drawer').waitFor({ state: 'detached' });
    assert.doesNotMatch(page.url(), /more=/);
  });

  await check('a note is written by keys, a view is saved and a goal is set, and all are there', async (page) => {
    const mark = `launch ${Date.now() % 100000}`;
    await open(page, '/mrr?lang=en');
    const before = await page.evaluate(noted);
    await page.keyboard.press('a');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await dialog.getByLabel('Date').fill('2026-08-05');
    await dialog.locator('input').first().fill(mark);
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    // Words stand beside a flag only where there is room between the flags of other notes.
    await page.waitForFunction(`(${noted})() === ${before + 1}`, null, { timeout: 30000 });
    const { rows: notes } = await ask('/notes', { limit: '10000' });
    const note = notes.find((row) => row.words === mark);
    assert.equal(note.day, '2026-08-05');
    await page.keyboard.press('Control+k');
    await page.locator('[role=combobox]').fill(mark);
    await page.getByRole('option').filter({ hasText: mark }).first().click();
    const views = async () => (await (await fetch(`${api}/api/v1/views`)).json()).rows;
    for (let turn = 0; turn < 50 && !(await views()).some((view) => view.name === mark); turn += 1) {
      await page.waitForTimeout(100);
    }
    const view = (await views()).find((row) => row.name === mark);
    assert.equal(view.address, '/mrr?lang=en');
    await open(page, '/?lang=en');
    await page.keyboard.press('Control+k');
    await page.locator('[role=combobox]').fill(mark);
    await page.getByRole('option').filter({ hasText: mark }).filter({ hasText: 'Saved view' }).click();
    await page.waitForURL('**/mrr?lang=en');
    await open(page, '/goals?lang=en');
    const form = page.locator('form').filter({ has: page.locator('input[type=month]') });
    await form.locator('input[inputmode=decimal]').fill('1,234,567');
    await form.locator('input[type=month]').fill('2027-10');
    await form.locator('button.primary').click();
    await page.getByText('1,234,567').first().waitFor({ timeout: 60000 });
    const target = (await ask('/targets')).rows.find((row) => Number(row.wanted) === 1234567);
    assert.equal(target.by, '2027-10-01');
    const removed = ['views', 'targets', 'notes'].map((kind, place) =>
      fetch(`${api}/api/v1/${kind}/${encodeURIComponent([view.id, target.target, note.id][place])}`, {
        method: 'DELETE',
      }),
    );
    for (const response of await Promise.all(removed)) assert.equal(response.status, 200, response.url);
  });

  await check('a filter that nothing fits is taken away where it stands', async (page) => {
    await open(page, '/?lang=en&f=plan:is:nosuchplan');
    assert.doesNotMatch(await shown(page), /NaN|undefined\b(?! here)/);
    await page.getByRole('button', { name: 'Remove: plan nosuchplan' }).click();
    await settled(page);
    assert.doesNotMatch(page.url(), /nosuchplan/);
    assert.match(await shown(page), /\$\d/);
  });

  await check(
    'an answer that does not come says why in its card, and is asked again there',
    async (page) => {
      let refuse = true;
      await page.route('**/api/v1/cohorts?*', (route) =>
        refuse
          ? route.fulfill({ status: 500, json: { error: { code: 'failed', message: 'a test refused it' } } })
          : route.continue(),
      );
      await open(page, '/retention?lang=en');
      const card = page.locator('[data-chart=cohorts]');
      await card.getByText('a test refused it').waitFor();
      assert.match(await page.locator('[data-chart=net-gross]').innerText(), /NRR/, 'the others are shown');
      refuse = false;
      await card.getByRole('button', { name: 'Try again' }).click();
      await card.locator('td').first().waitFor();
    },
    { expected: AWAY },
  );

  await check(
    'silence is said after a while, and then the server is asked',
    async (page) => {
      await page.clock.install();
      await page.addInitScript(() => {
        globalThis.EventSource = class extends EventTarget {};
      });
      let away = false;
      await page.route('**/api/v1/session*', (route) => (away ? route.abort() : route.continue()));
      await open(page, '/revenue?lang=en');
      const notice = page.locator('.notice[role=status]');
      assert.equal(await notice.count(), 0);
      away = true;
      await page.clock.runFor(60_000);
      await notice.waitFor();
      away = false;
      await page.clock.runFor(70_000);
      await notice.waitFor({ state: 'detached' });
    },
    { expected: AWAY },
  );

  if (!program) return;
  const few = await own(['s1,ann,team,USD,1000,month,2026-08-10', 's2,ben,team,USD,500,month,2026-08-10']);
  await check(
    'what facts are missing for is named, and is no zero',
    async (page) => {
      await open(page, '/unit?lang=en', few.url);
      const cards = await page
        .locator('[data-metric]')
        .evaluateAll((all) =>
          all.map((card) => [card.getAttribute('data-metric'), card.getAttribute('data-value'), card.innerText]),
        );
      const cac = cards.find(([metric]) => metric === 'cac.total');
      assert.ok(cac?.[1] === '' && cac[2].includes('—'), JSON.stringify(cards));
      assert.match(await shown(page), /needs facts that are not here yet: .*spend/i);
      for (const [metric, value, told] of cards) {
        assert.equal(told.includes('—'), value === '', `${metric}: ${told}`);
      }
      await open(page, '/health?lang=en', few.url);
      assert.match(await shown(page), /needs product_event|needs product events/);
      await open(page, '/forecast?lang=en', few.url);
      assert.match(await shown(page), /too (little|short)|months/i);
    },
    // A list that cannot be made is refused with the reason, which the browser tells of.
    { expected: [/status of 400/] },
  );

  await check(
    'where facts are missing, a link leads to their import, and with them the figure is there',
    async (page) => {
      // Each kind that a metric needs is one that can be imported.
      const { metrics } = await (await fetch(`${few.api}/api/v1/catalogue`)).json();
      const { all_kinds: kinds } = await (await fetch(`${few.api}/api/v1/sources`)).json();
      for (const need of new Set(metrics.flatMap((metric) => metric.needs))) {
        await open(page, `/dictionary?lang=en&id=${metrics.find((metric) => metric.needs.includes(need)).id}`, few.url);
        const leads = await page.locator('[data-missing]').evaluateAll((all) => all.map((one) => one.dataset.missing));
        for (const kind of leads)
          assert.ok(
            kinds.some((one) => one.kind === kind),
            `${need} is imported as ${kind}`,
          );
      }
      for (const [where, kind] of [
        ['/service', 'tickets'],
        ['/health', 'events'],
        ['/funnel', 'leads'],
        ['/forecast?metric=cash', 'cash-balances'],
        ['/prices', 'experiments'],
        ['/unit?drill=cac.total:2026-09-01:month', 'spend'],
      ]) {
        await open(page, at(where, { lang: 'en' }), few.url);
        await page.locator(`[data-missing=${kind}]`).first().waitFor();
        await noViolation(page);
      }
      assert.doesNotMatch(await page.locator('.drawer').innerText(), /NaN|\$0/);
      await page.locator('.drawer [data-missing=spend]').click();
      await page.waitForURL('**/data?*kind=spend*');
      await settled(page);
      assert.equal(await page.getByLabel('What is in it').inputValue(), 'spend');
      await page.getByText(/a file has columns for .*amount/).waitFor();
      await page.locator('input[type=file]').setInputFiles({
        name: 'paid.csv',
        mimeType: 'text/csv',
        buffer: Buffer.from('day,channel,amount,currency\n2026-08-03,google_ads,300,USD\n'),
      });
      await page.getByText(/1 rows can be read, 0 cannot/).waitFor({ timeout: 30000 });
      await page.getByRole('button', { name: 'Import', exact: true }).click();
      await page.getByText('1 rows became facts, 0 were refused and kept.').waitFor({ timeout: 30000 });
      await open(page, '/unit?lang=en&drill=cac.total:2026-08-01:month', few.url);
      assert.equal(await page.locator('[data-drawer-value]').getAttribute('data-drawer-value'), '150.00');
      assert.equal(await page.locator('.drawer [data-missing]').count(), 0);
    },
    { expected: [/status of 400/] },
  );

  await check(
    'the wall goes on by itself when the server has started again',
    async (page) => {
      await open(page, '/?tv=1&lang=en', few.url);
      assert.match(await shown(page), /\$1,500/);
      await few.stop();
      few.take(['s3,cleo,team,USD,2500,month,2026-10-05']);
      await page.waitForTimeout(4000);
      assert.match(await shown(page), /\$1,500/, 'what was known stays on the screen');
      await few.start();
      await page.getByText('$4,000').first().waitFor({ timeout: 90000 });
    },
    { expected: AWAY },
  );
  few.end();

  const nobody = await own();
  for (const [name, where] of PAGES.filter(([one]) => !['customer', 'drawer'].includes(one))) {
    await check(`${name} without a fact teaches and makes no number up`, async (page) => {
      await open(page, at(where, { lang: 'en' }), nobody.url);
      const screen = await shown(page);
      assert.doesNotMatch(screen, /NaN|undefined\b(?! here)|\$0|(^|\s)0(\.0)?%/);
      if (!['metrics', 'data', 'settings', 'alerts'].includes(name)) {
        assert.ok(screen.includes('Bring your first facts'), screen.slice(0, 400));
      }
      await noViolation(page);
    });
  }
  await check(
    'the import wizard makes facts of a file, says how far it is, and pages that are open show them',
    async (page) => {
      const watching = await page.context().newPage();
      await open(watching, '/?lang=en', nobody.url);
      await watching.getByText('Bring your first facts').waitFor();
      await open(page, '/data?lang=en', nobody.url);
      const rows = Array.from(
        { length: 12 },
        (_, place) => `s${place},c${place},team,USD,100,month,2026-0${1 + (place % 9)}-05`,
      );
      await page.locator('input[type=file]').setInputFiles({
        name: 'export.csv',
        mimeType: 'text/csv',
        buffer: Buffer.from(['Sub,Who,Plan,Currency,Price,Every,Since', ...rows].join('\n')),
      });
      // What cannot be recognised is said by hand: what the file is of, and which column is which.
      await page.getByLabel('What is in it').selectOption('subscriptions');
      await page.getByText('the file has no column for: subscription').waitFor();
      const columns = { subscription: 'Sub', customer: 'Who', amount: 'Price', interval: 'Every', start: 'Since' };
      for (const [column, header] of Object.entries(columns)) {
        const field = page
          .locator('.mapping label')
          .filter({ hasText: new RegExp(`^\\s*${column}\\b`) })
          .first();
        await field.locator('input').fill(header);
        await field.locator('input').blur();
      }
      await page.getByRole('button', { name: 'Try it' }).click();
      await page.getByText(/12 rows can be read, 0 cannot/).waitFor({ timeout: 30000 });
      // A large file takes a while: here the server is slow in saying that it is over.
      let turns = 0;
      const slow = async (route) => {
        const answer = await (await route.fetch()).json();
        turns += 1;
        const progress = { phase: 'reading', bytes: 50 * turns, bytes_total: 200, rows: 3 * turns };
        await route.fulfill({ json: turns < 3 ? { ...answer, state: 'running', progress } : answer });
      };
      await page.route('**/api/v1/imports', slow);
      await page.route('**/api/v1/imports/*', slow);
      await page.getByRole('button', { name: 'Import', exact: true }).click();
      await page.getByText(/25%/).waitFor();
      assert.equal(await page.locator('progress').getAttribute('max'), '200');
      await page.getByText('12 rows became facts, 0 were refused and kept.').waitFor({ timeout: 30000 });
      await watching.getByText('Bring your first facts').waitFor({ state: 'detached', timeout: 30000 });
      await watching.getByText('$1,200').first().waitFor({ timeout: 30000 });
    },
    // What cannot be read as it stands is refused with the reason.
    { expected: [/status of 422/] },
  );
  nobody.end();
}
