// Using it: links, keys, hidden amounts, import, closing a month, paper.
import assert from 'node:assert/strict';
import { settled } from '../../scripts/browser.mjs';
import { noViolation } from './harness.mjs';

/** How many notes the flags of the movements stand for. */
const noted = () =>
  [...document.querySelectorAll('[data-chart=movements] .note')].reduce(
    (sum, flag) => sum + Number(flag.dataset.notes),
    0,
  );

export default async function use({ check, open, ask }, { api }) {
  await check('what is running is hatched and said to be so', async (page) => {
    await open(page, '/?lang=en');
    assert.ok((await page.locator('[data-chart=movements] rect[fill^="url(#hatch"]').count()) > 0);
    assert.ok((await page.getByText('to date').count()) > 0);
    assert.ok((await page.getByText('vs Sep 1–22').count()) > 0, 'compared with the same days');
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

  await check('keys alone reach and work what the newer pages have', async (page) => {
    const focused = () =>
      page.evaluate(() => {
        const { activeElement: on } = document;
        return {
          tag: on.tagName,
          text: on.textContent.trim(),
          title: on.title,
          hint: on.getAttribute('placeholder') ?? '',
        };
      });
    /** Goes on with the tab key until what has the focus is what is looked for. */
    async function reach(wanted) {
      for (let turn = 0; turn < 150; turn += 1) {
        await page.keyboard.press('Tab');
        if (wanted(await focused())) return;
      }
      throw new Error(`the tab key does not reach ${wanted}`);
    }
    // Every page has a second key after g.
    const keys = { n: '/prices', k: '/levers', e: '/alerts', m: '/month', y: '/runway', b: '/data', i: '/dictionary' };
    await open(page, '/?lang=en');
    for (const [key, path] of Object.entries(keys)) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.waitForURL(`**${path}**`);
    }
    // Levers: another horizon, and another assumption, which the address keeps.
    await open(page, '/levers?lang=en');
    await reach((on) => on.tag === 'BUTTON' && on.text === '24 mo');
    await page.keyboard.press('Enter');
    await page.waitForURL('**horizon=24**');
    await settled(page);
    await reach((on) => on.tag === 'INPUT');
    await page.keyboard.press('Control+a');
    await page.keyboard.type('0.9');
    await page.keyboard.press('Enter');
    await page.waitForURL('**set=**');
    // Prices: another measure of a test, its table, and a customer.
    await open(page, '/prices?lang=en');
    await reach((on) => on.tag === 'BUTTON' && on.text === 'ARPA');
    await page.keyboard.press('Space');
    await settled(page);
    await reach((on) => on.tag === 'A' && /^c\d{8}$/.test(on.title));
    await page.keyboard.press('Enter');
    await page.waitForURL('**/customers/c0*');
    // Alerts: a rule is set and taken away.
    await open(page, '/alerts?lang=en');
    await reach((on) => on.tag === 'INPUT' && on.hint === '');
    await page.keyboard.type('keys_alone');
    await reach((on) => on.tag === 'INPUT' && on.hint.startsWith('10000'));
    await page.keyboard.type('1000');
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: 'keys_alone' }).waitFor({ timeout: 60000 });
    await page.locator('#main').focus();
    await reach((on) => on.tag === 'BUTTON' && on.text === 'Remove');
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: 'keys_alone' }).waitFor({ state: 'detached', timeout: 60000 });
    // Closing a month.
    await fetch(`${api}/api/v1/closes/2026-07`, { method: 'DELETE' });
    await open(page, '/month/2026-07?lang=en');
    await reach((on) => on.tag === 'BUTTON' && on.text === 'Close the month');
    await page.keyboard.press('Enter');
    await page.locator('[data-closed="2026-07"]').waitFor({ timeout: 60000 });
    await reach((on) => on.tag === 'BUTTON' && on.text === 'Open it again');
    await page.keyboard.press('Enter');
    await page.locator('[data-closed="2026-07"]').waitFor({ state: 'detached', timeout: 60000 });
  });

  await check('a cohort is walked with the arrow keys', async (page) => {
    await open(page, '/retention?lang=en');
    await page.locator('[data-chart=cohorts] [data-at="0:0"]').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('data-at')), '1:1');
  });

  await check('a cell of the triangle opens to customers who add up to it, by whatever it is counted', async (page) => {
    for (const [measure, against, rows] of [
      ['revenue', 'start', 'month'],
      ['gross-revenue', 'start', 'quarter'],
      ['gross-revenue', 'before', 'plan'],
      ['customers', 'before', 'channel'],
    ]) {
      await open(page, `/retention?lang=en&measure=${measure}&against=${against}&cohorts=${rows}`);
      const cell = page.locator('[data-chart=cohorts] [data-at="0:1"]');
      const said = await cell.getAttribute('aria-label');
      await cell.focus();
      await page.keyboard.press('Enter');
      const big = page.locator('[data-cell-value]');
      await big.waitFor({ timeout: 60000 });
      const [value, sum] = [
        await big.getAttribute('data-cell-value'),
        await page.locator('[data-cell-sum]').getAttribute('data-cell-sum'),
      ];
      assert.equal(Number(sum).toFixed(6), Number(value).toFixed(6), `${measure} ${against} ${rows}`);
      assert.ok(Number(value) > 0, said);
      assert.ok((await page.locator('[role=dialog] li').count()) > 0);
      await noViolation(page);
      // The address opens it again, and Escape leaves it where it was opened.
      const address = page.url();
      assert.match(address, new RegExp(`who=cohort:${measure}:${against}:${rows}:1:`));
      await page.goto(address);
      await big.waitFor({ timeout: 60000 });
      assert.equal(await big.getAttribute('data-cell-value'), value);
      await page.keyboard.press('Escape');
      await page.locator('[role=dialog]').waitFor({ state: 'detached' });
    }
  });

  await check('month on month the triangle says what is kept of the month before', async (page) => {
    const rows = [
      ['measure', 'gross-revenue'],
      ['against', 'before'],
      ['from', '2025-05-01'],
      ['limit', '10000'],
    ];
    const cells = (await ask('/cohorts', rows)).rows;
    const [first] = cells.filter((one) => Number(one.before) > 0 && one.age === 1);
    await open(page, '/retention?lang=en&measure=gross-revenue&against=before');
    const said = page.getByRole('button', { name: new RegExp(`, Month 1: ${Math.round(Number(first.ratio) * 100)}%`) });
    assert.ok((await said.count()) > 0, `${first.cohort} ${first.ratio}`);
    for (const one of cells) {
      if (one.ratio !== null) assert.ok(Number(one.ratio) <= 1.0000001, `gross never grows: ${one.cohort} ${one.age}`);
    }
  });

  await check('a row that is pointed at lights its curve', async (page) => {
    await open(page, '/retention?lang=en&cohorts=plan');
    const curves = page.locator('[data-chart=survival] path.line:not(.running)');
    assert.ok((await curves.count()) >= 3, `${await curves.count()} curves`);
    assert.equal(await page.locator('[data-chart=survival] path.faint').count(), 0);
    await page.locator('[data-chart=cohorts] [data-at="0:0"]').focus();
    const faint = await page.locator('[data-chart=survival] path.faint').count();
    assert.equal(faint, (await curves.count()) - 2, 'all others but that of all customers step back');
    await open(page, '/retention?lang=en');
    assert.ok((await page.locator('[data-chart=survival] path.faint').count()) > 8, 'a curve a month');
  });

  await check('a step of the funnel opens to its people, of the window and of a week', async (page) => {
    await open(page, '/funnel?lang=en');
    const steps = page.locator('[data-chart=funnel] button.rank');
    const said = await steps.nth(1).locator('.said').innerText();
    await steps.nth(1).focus();
    await page.keyboard.press('Enter');
    const big = page.locator('[data-step-people]');
    await big.waitFor({ timeout: 90000 });
    assert.equal(await big.getAttribute('data-step-people'), said.replaceAll(/\D/g, ''));
    assert.match(page.url(), /who=step:2/);
    assert.ok((await page.locator('[role=dialog] li').count()) >= 50);
    assert.ok((await page.locator('[role=dialog] li a').count()) > 0, 'some of them are customers by now');
    await noViolation(page);
    await page.keyboard.press('Escape');
    await page.locator('[role=dialog]').waitFor({ state: 'detached' });
    // Weeks: those that are not over, or whose people have time, are said to be so.
    const rows = page.locator('[data-chart=funnel-weeks] tbody tr');
    assert.match(await rows.last().innerText(), /to date/);
    assert.match(await rows.nth(-2).innerText(), /still open/);
    assert.doesNotMatch(await rows.first().innerText(), /still open|to date/);
    const cell = page.locator('[data-chart=funnel-weeks] [data-at="0:1"]');
    const count = (await cell.getAttribute('title')).replaceAll(/\D/g, '');
    await cell.focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await big.waitFor({ timeout: 90000 });
    assert.equal(await big.getAttribute('data-step-people'), count);
  });

  await check('who looks after a customer is kept, a snoozed one leaves the list and is brought back', async (page) => {
    await open(page, '/health?lang=en');
    const courses = page.locator('[data-course]');
    await page.waitForFunction(() => document.querySelector('[data-course]')?.dataset.course.trim() !== '');
    const first = page.locator('.scroll[role=group] table').last().locator('tbody tr').first();
    const id = await first.locator('th a').getAttribute('title');
    // The course of thirty days is that of the API, and ends with the score of today.
    const days = (await ask('/health/days', { customer: id, days: '30' })).rows;
    assert.equal(days.length, 30);
    const drawn = (await courses.first().getAttribute('data-course')).split(' ').filter(Boolean).map(Number);
    assert.deepEqual(
      drawn,
      days.filter((row) => row.health !== null).map((row) => Number(row.health)),
    );
    const now = (await ask('/health', { limit: '10000' })).rows.find((row) => row.customer === id);
    assert.equal(days.at(-1).health, now.health);
    await first.locator('button.follow').focus();
    await page.keyboard.press('Enter');
    await page.getByLabel('Owner').fill('Ada');
    await page.getByRole('button', { name: '14 days' }).click();
    await page.getByLabel('Note').fill('asked for more seats');
    await noViolation(page);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('[role=dialog]').waitFor({ state: 'detached' });
    const chip = page.getByRole('button', { name: /snoozed/ });
    await chip.waitFor({ timeout: 60000 });
    await page.locator(`th a[title="${id}"]`).waitFor({ state: 'detached', timeout: 60000 });
    await chip.click();
    await page.waitForURL('**snoozed=1**');
    const row = page.locator('tbody tr').filter({ has: page.locator(`a[title="${id}"]`) });
    assert.match(await row.innerText(), /Ada[\s\S]*asked for more seats[\s\S]*snoozed until/);
    const kept = (await ask('/follow-ups', { customer: id })).rows;
    assert.deepEqual([kept.length, kept[0].owner, kept[0].words], [1, 'Ada', 'asked for more seats']);
    // As it was: the next test finds everybody.
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ customer: id });
    await fetch(`${api}/api/v1/follow-ups`, { method: 'POST', headers, body });
  });

  await check('payback by cohort: a month is drawn in money against its own cost', async (page) => {
    await open(page, '/unit?lang=en&view=table');
    const [month, , , , cost] = (
      await page
        .locator('[data-chart=payback-curve] tbody tr')
        .evaluateAll((all) =>
          all.map((row) => [
            row.querySelector('th').textContent.trim(),
            ...[...row.querySelectorAll('td')].map((cell) => cell.title),
          ]),
        )
    ).find((row) => row.at(-1) !== '');
    const rows = (await ask('/payback', { from: month, limit: '10000' })).rows.filter((row) => row.cohort === month);
    assert.equal(rows[0].cac, cost);
    const crossed = rows.find((row) => Number(row.earned) >= Number(row.cac));
    assert.equal(rows[0].payback, crossed.month);
    await open(page, `/unit?lang=en&payback=${month}`);
    const words = page.locator('[data-payback]');
    assert.equal(await words.getAttribute('data-payback'), String(crossed.month));
    assert.ok((await page.locator('[data-chart=payback-curve]').innerText()).includes('CAC $'));
    await page.getByLabel('Cohort', { exact: true }).selectOption('');
    await page.waitForURL((url) => !url.search.includes('payback='));
  });

  await check('hidden amounts are nowhere', async (page) => {
    await open(page, '/?lang=en');
    await page.keyboard.press('.');
    await page.waitForTimeout(100);
    const text = await page.locator('main').innerText();
    assert.doesNotMatch(text, /\$\d/, 'no amount is left');
    assert.doesNotMatch(text, /c0000\d{4}/, 'no id is left');
    const { at_risk: risky } = await ask('/overview');
    assert.ok(
      risky.some((row) => row.customer_name),
      'somebody has a name',
    );
    const html = await page.locator('main').innerHTML();
    for (const { customer, customer_name: name } of risky) {
      assert.ok(!html.includes(name ?? customer), `${name} is left`);
      assert.ok(!html.includes(`title="${customer}"`), `${customer} is left`);
    }
    // Nor is it in a list whose rows are customers, in its search, or in the table of a chart.
    await open(page, '/health?lang=en&view=table');
    const shown = await page.locator('body').innerText();
    for (const { customer, customer_name: name } of risky) {
      assert.ok(!shown.includes(name ?? customer) && !shown.includes(customer), `${name} is left`);
    }
  });

  await check('customers are found and shown by what they are called', async (page) => {
    const { rows } = await ask('/customers', { sort: '-mrr', limit: '1' });
    const [{ customer, customer_name: name }] = rows;
    await open(page, '/customers?lang=en');
    const link = page.getByRole('link', { name, exact: true });
    assert.equal(await link.getAttribute('title'), customer);
    await page.keyboard.press('Control+k');
    await page.locator('[role=combobox]').waitFor();
    await page.keyboard.type(name.toLowerCase());
    // Others may be called alike: the id stands beside the name.
    await page.getByRole('option', { name }).filter({ hasText: customer }).click();
    await page.waitForURL(`**/customers/${customer}*`);
    await page.getByText(`${name} · ${customer}`).waitFor();
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

  await check('a running month that is listed beside full ones is said to be so', async (page) => {
    for (const [lang, words] of [
      ['en', 'to date'],
      ['zh', '至今'],
      ['fr', 'en cours'],
    ]) {
      await open(page, `/revenue?lang=${lang}`);
      const list = page.locator('.scroll[role=group] table').last().locator('tbody tr');
      const heads = await list.locator('th').allInnerTexts();
      assert.ok(heads.length > 3, `${heads.length} months`);
      assert.ok(heads[0].includes(words), heads[0]);
      assert.ok(
        heads.slice(1).every((head) => !head.includes(words)),
        'only the running month',
      );
    }
  });

  await check(
    'an overview that is behind is asked again when the server says that the newer one is there',
    async (page) => {
      // News as the server tells it, when the test says so.
      await page.addInitScript(() => {
        globalThis.EventSource = class extends EventTarget {
          constructor() {
            super();
            globalThis.news = (name, told) =>
              this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(told) }));
          }
        };
      });
      let count = 0;
      // The version that is served, and the one that overviews are of.
      let [served, made] = [null, null];
      const versioned = (version) => async (route) => {
        const headers = { ...route.request().headers() };
        delete headers['if-none-match'];
        const body = await (await route.fetch({ headers })).json();
        await route.fulfill({ json: { ...body, data_version: version() ?? body.data_version } });
      };
      await page.route(
        '**/api/v1/session*',
        versioned(() => served),
      );
      await page.route(
        '**/api/v1/overview?*',
        versioned(() => {
          count += 1;
          return made;
        }),
      );
      await open(page, '/?lang=en');
      made = (await ask('/overview')).data_version;
      const tell = async (name, told) => {
        await page.evaluate(([event, data_version]) => globalThis.news(event, { data_version }), [name, told]);
        await settled(page);
      };
      const before = count;
      served = 'next';
      await tell('data_version', 'next');
      await page.waitForTimeout(4000);
      assert.equal(count, before + 1, 'asked once for the newer version, and not again by itself');
      made = 'next';
      await tell('overview', 'next');
      assert.equal(count, before + 2, 'asked again once it is there');
      await page.waitForTimeout(2500);
      await tell('overview', 'next');
      assert.equal(count, before + 2, 'what is of the newest version is not asked again');
    },
  );

  await check('what arrives shows on an open page at once', async (page) => {
    await open(page, '/?lang=en');
    const before = await page.evaluate(noted);
    const words = `noted ${Date.now() % 100000}`;
    const response = await fetch(`${api}/api/v1/notes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ day: '2026-09-15', words }),
    });
    assert.equal(response.status, 200, await response.text());
    let now = before;
    for (let turn = 0; turn < 300 && now !== before + 1; turn += 1) {
      await page.waitForTimeout(100);
      now = await page.evaluate(noted);
    }
    assert.equal(now, before + 1);
  });

  await check('a note is opened at its flag, changed, and taken back, by pointer and by keys', async (page) => {
    const words = `noted ${Date.now()}`;
    const response = await fetch(`${api}/api/v1/notes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ day: '2026-03-10', words }),
    });
    const { id } = await response.json();
    const known = async () => (await ask('/notes', { limit: '10000' })).rows.find((row) => row.id === id);
    await open(page, '/mrr?lang=en&range=12m&grain=month');
    const flag = page.locator('[data-chart=movements] .flag[aria-label*="Mar 2026"]');
    await flag.waitFor({ timeout: 30000 });
    await flag.click();
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await noViolation(page);
    // Where several notes have one flag, each of them is there.
    const each = dialog.getByRole('button', { name: `Change the note “${words}”` });
    if (await each.count()) await each.click();
    assert.equal(await dialog.getByLabel('What happened?').inputValue(), words);
    await dialog.getByLabel('What happened?').fill(`${words} anew`);
    await dialog.getByLabel('In more words').fill('with details');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'detached' });
    assert.equal((await known()).words, `${words} anew: with details`);

    // The chart is one stop of the keyboard: the key of notes opens those of the period that has the focus.
    const chart = page.locator('[data-chart=movements] [role=slider]');
    await chart.focus();
    await page.keyboard.press('End');
    for (let turn = 0; turn < 12 && !/^Mar 2026/.test(await chart.getAttribute('aria-valuetext')); turn += 1) {
      await page.keyboard.press('ArrowLeft');
    }
    assert.match(await chart.getAttribute('aria-valuetext'), /Note: /);
    await page.keyboard.press('a');
    await dialog.waitFor();
    const again = dialog.getByRole('button', { name: `Change the note “${words} anew”` });
    if (await again.count()) {
      await again.focus();
      await page.keyboard.press('Enter');
    }
    const away = dialog.getByRole('button', { name: 'Take back', exact: true });
    await away.focus();
    await page.keyboard.press('Enter');
    await dialog.getByText('What was known before keeps it').waitFor();
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await known(), undefined);
    await page.waitForTimeout(100);
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'slider', 'focus comes back');
  });

  await check('a question of the month is answered in a note, which its close keeps and paper shows', async (page) => {
    const send = (method, path, body) =>
      fetch(`${api}/api/v1${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
    const mark = `because ${Date.now()}`;
    await send('DELETE', '/closes/2026-07');
    await send('DELETE', '/closes/2026-07/notes/churn');
    await open(page, '/month/2026-07?lang=en');
    const churn = page.locator('.five li').filter({ hasText: 'Where is churn going?' });
    await churn.getByRole('button', { name: /Write a note to/ }).click();
    await page.keyboard.type(mark);
    await noViolation(page);
    await page.keyboard.press('Control+Enter');
    await churn.locator('blockquote').getByText(mark).waitFor({ timeout: 30000 });
    await page.waitForTimeout(100);
    assert.match(await page.evaluate(() => document.activeElement.ariaLabel), /Change the note to/, 'focus comes back');
    assert.equal((await ask('/closes/notes', { month: '2026-07' })).rows[0].words, mark);
    await page.emulateMedia({ media: 'print' });
    assert.ok(await churn.locator('blockquote').isVisible());
    assert.equal(await churn.getByRole('button').filter({ visible: true }).count(), 0, 'paper has no buttons');
    await page.emulateMedia({ media: 'screen' });

    assert.equal((await send('POST', '/closes', { month: '2026-07' })).status, 200);
    await page.locator('[data-closed="2026-07"]').waitFor({ timeout: 60000 });
    await churn.getByRole('button', { name: /Change the note to/ }).click();
    await churn.getByRole('textbox').fill(`${mark}, or not`);
    await churn.getByRole('button', { name: 'Save' }).click();
    await churn.getByText('since the close').waitFor({ timeout: 30000 });
    assert.deepEqual(
      (await churn.locator('blockquote').allInnerTexts()).map((text) => text.split('\n')[0]),
      [mark, `${mark}, or not`],
      'what was kept stands first',
    );
    await churn.getByRole('button', { name: /Change the note to/ }).click();
    await page.keyboard.press('Escape');
    assert.equal(await churn.getByRole('textbox').count(), 0);
    await send('DELETE', '/closes/2026-07');
    await send('DELETE', '/closes/2026-07/notes/churn');
  });

  await check('the close of a month prints on paper', async (page) => {
    await open(page, '/month/2026-09?lang=en');
    const paper = await page.pdf({ format: 'A4', landscape: true, printBackground: true, scale: 0.6 });
    const count = paper.toString('latin1').match(/\/Type\s*\/Page[^s]/g).length;
    assert.ok(count >= 1 && count <= 5, `${count} pages`);
  });

  await check('a month is closed, later facts move what it would be, and it is opened again', async (page) => {
    const post = async (path, method, body) => {
      const response = await fetch(`${api}/api/v1${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      assert.equal(response.status, 200, await response.text());
    };
    await fetch(`${api}/api/v1/closes/2026-08`, { method: 'DELETE' });
    await open(page, '/month/2026-08?lang=en');
    await page.getByRole('button', { name: 'Close the month' }).click();
    const banner = page.locator('[data-closed="2026-08"]');
    await banner.waitFor({ timeout: 60000 });
    assert.match(await banner.innerText(), /Every figure is still the same/);
    const reported = (await ask('/closes/figures', { month: '2026-08' })).rows.find((row) => row.metric === 'mrr');
    assert.equal(reported.reported, reported.now);
    // A subscription of that month that nobody knew of; another one each time that this runs on a server.
    const late = `late-${Date.now()}`;
    const form = new FormData();
    form.append('kind', 'subscriptions');
    form.append(
      'file',
      new Blob([
        'subscription,customer,plan,currency,amount,interval,quantity,status,start\n' +
          `${late},${late},team,USD,500.00,month,1,active,2026-08-10\n`,
      ]),
      'late.csv',
    );
    const imported = await fetch(`${api}/api/v1/imports`, { method: 'POST', body: form });
    assert.ok(imported.ok, await imported.text());
    await banner.getByText(/figures would be others now/).waitFor({ timeout: 60000 });
    // It is one of the largest movements of the month too.
    const restated = page.getByRole('group', { name: 'Restated since' });
    await restated.getByRole('link', { name: late }).waitFor({ timeout: 60000 });
    const now = (await ask('/closes/figures', { month: '2026-08' })).rows.find((row) => row.metric === 'mrr');
    assert.equal(now.reported, reported.reported, 'what was reported stays');
    assert.equal(Number(now.difference), 500);
    await noViolation(page);
    await page.getByRole('button', { name: 'Open it again' }).click();
    await banner.waitFor({ state: 'detached', timeout: 60000 });
    await post('/closes', 'POST', { month: '2026-08' });
    await post('/closes/2026-08', 'DELETE');
  });
}
