// Every number opens, and what opens is that number: the same value, and lines under it that add up to it.
import assert from 'node:assert/strict';

const drawer = '[role=dialog][aria-labelledby=drawer-title]';
const close = (one, other, within = 0.005) => Math.abs(Number(one) - Number(other)) <= within;

/** What the drawer shows, once it is there. */
async function opened(page) {
  const big = page.locator(`${drawer} [data-drawer-value]`);
  await big.waitFor({ timeout: 60000 });
  return big.getAttribute('data-drawer-value');
}

async function shut(page) {
  await page.keyboard.press('Escape');
  await page.locator(drawer).waitFor({ state: 'detached' });
}

/** The rows of the drawer's CSV: one a line that makes the number. */
async function linesOf(page) {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator(`${drawer} footer`).getByRole('button', { name: 'CSV' }).click(),
  ]);
  const { readFileSync } = await import('node:fs');
  const text = readFileSync(await download.path(), 'utf8')
    .trimEnd()
    .split('\r\n');
  return text.filter((line) => !line.startsWith('#')).slice(1);
}

/** Opens each number of a list, and holds it against what was clicked. */
async function eachOpens(page, list) {
  const links = list.locator('a[data-value]');
  const count = await links.count();
  assert.ok(count > 0, 'there are numbers that open');
  for (let place = 0; place < count; place += 1) {
    const link = links.nth(place);
    const value = await link.getAttribute('data-value');
    await link.click();
    assert.ok(close(await opened(page), value, 1e-9), `${await page.evaluate(() => location.search)}: not ${value}`);
    await shut(page);
  }
  return count;
}

export default async function opening({ check, open, ask }) {
  await check('each number of the channels opens to itself', async (page) => {
    await open(page, '/funnel?lang=en');
    const list = page.getByRole('group', { name: 'Channels' });
    const count = await eachOpens(page, list);
    const rows = await list.locator('tbody tr').count();
    assert.ok(count > rows * 3, `${count} numbers of ${rows} channels`);
  });

  await check('a filter that a page does not show is not one of what opens there', async (page) => {
    await open(page, '/funnel?lang=en&f=plan:is:team');
    const link = page.getByRole('group', { name: 'Channels' }).locator('a[data-value]').first();
    const value = await link.getAttribute('data-value');
    await link.click();
    assert.equal(await opened(page), value);
    assert.doesNotMatch(await page.locator(drawer).innerText(), /plan=team/);
  });

  await check('each number of the week by plan and in its review opens to itself', async (page) => {
    await open(page, '/week?lang=en&week=2026-10-05');
    await eachOpens(page, page.getByRole('group', { name: 'Segments of the week' }));
    const parts = page.locator('.parts .scroll[role=group]');
    for (let place = 0; place < (await parts.count()); place += 1) {
      if ((await parts.nth(place).locator('a[data-value]').count()) > 0) await eachOpens(page, parts.nth(place));
    }
  });

  for (const where of ['/mrr?lang=en&bridge=window', '/mrr?lang=en&range=90d&bridge=window', '/mrr?lang=en']) {
    await check(`each step of the bridge of ${where} opens to what it says`, async (page) => {
      await open(page, `${where}&view=bridge`);
      const steps = await page
        .locator('[data-chart=bridge] tbody tr')
        .evaluateAll((all) =>
          all.map((row) => [row.querySelector('th').textContent.trim(), row.querySelector('td').title]),
        );
      assert.ok(steps.length >= 7, `${steps.length} steps`);
      await open(page, where);
      for (const [place, [name, value]] of steps.entries()) {
        const button = page.locator('[data-chart=bridge] .wrap button').nth(place);
        assert.ok((await button.getAttribute('aria-label')).startsWith(name), name);
        await button.focus();
        await page.keyboard.press('Enter');
        assert.ok(close(await opened(page), value), `${name} is ${value}, and opens to ${await opened(page)}`);
        const isMovement = place > 0 && place < steps.length - 1;
        if (isMovement && Number(value) !== 0) {
          const lines = await linesOf(page);
          const whole = lines.reduce((sum, line) => sum + Number(line.split(',')[4]), 0);
          assert.ok(close(whole, value), `the lines of ${name} make ${whole}, not ${value}`);
        }
        // The address alone shows it again.
        if (place === 1) {
          await page.reload();
          assert.ok(close(await opened(page), value), 'after loading it anew');
        }
        await shut(page);
      }
    });
  }

  await check('a window of a stock opens to its last period, since a stock does not add up', async (page) => {
    const { figures } = await ask('/figures', { metric: 'mrr', from: '2026-09-01', to: '2026-10-01', grain: 'month' });
    await open(page, '/mrr?lang=en&drill=mrr:2026-01-01..2026-09-01:month');
    assert.equal(await opened(page), figures[0].value);
  });
}
