// The first owner, logging in and out, who may do what, and links for others: against a server with a door.
import assert from 'node:assert/strict';
import { settled } from '../../scripts/browser.mjs';
import { guarded } from '../../scripts/company.mjs';
import { noViolation } from './harness.mjs';

const PASSWORD = 'a long enough sentence';
// A door that is shut is told by its status, and the browser says so; so is a list that few facts do not make.
const SHUT = [/status of 40[013]/];

/** Buttons and fields by which something is written. Words in the address, such as a filter, are nobody's but the reader's. */
const WRITES =
  /^(Annotate|Write a note|Change|Take back|Close the month|Open it again|Import|Add|Remove|Revoke|Save|Set rule|Set channel|Make|Test|Enter a balance)\b/;

/** Goes through every page that the navigation has: nothing on it is refused, leads where it would be, or offers to write. */
async function nothingRefused(page, open, url) {
  const refused = [];
  page.on('response', (response) => {
    if ([401, 403].includes(response.status())) refused.push(`${page.url()}: ${response.url()}`);
  });
  await open(page, '/?lang=en', url);
  const paths = (await page.locator('nav a[href^="/"]').evaluateAll((all) => all.map((link) => link.pathname))).filter(
    (path, place, all) => all.indexOf(path) === place,
  );
  assert.ok(paths.length > 8, paths.join(' '));
  for (const path of paths) {
    await open(page, `${path}?lang=en`, url);
    const { links, offers } = await page.locator('main').evaluate((main) => ({
      links: [...main.querySelectorAll('a[href^="/"]')].map((link) => link.pathname),
      offers: [...main.querySelectorAll('button, a.button, input[type=file]')].map(
        (one) => one.ariaLabel ?? (one.type === 'file' ? 'Import' : one.innerText.trim()),
      ),
    }));
    const shut = links.filter(
      (link) => !paths.some((one) => link === one || (one !== '/' && link.startsWith(`${one}/`))),
    );
    assert.deepEqual(shut, [], `${path} leads nowhere that is shut`);
    assert.deepEqual(
      offers.filter((words) => WRITES.test(words)),
      [],
      `${path} offers nothing that is refused`,
    );
  }
  assert.deepEqual(refused, [], 'no page asks for what it may not see');
}

export default async function people({ check, open }, { program }) {
  if (!program) {
    console.log('people: left out, because the server is not ours to start');
    return;
  }
  const { url, setup, end } = await guarded();

  await check(
    'the first owner sets it up, adds somebody and makes a link',
    async (page, context) => {
      await open(page, new URL(setup).pathname + new URL(setup).hash, url);
      assert.equal(await page.getByLabel('Token').inputValue(), new URL(setup).hash.slice('#token='.length));
      await noViolation(page);
      await page.getByLabel('Name').fill('olivia');
      await page.getByLabel('Password').fill('short');
      await page.getByRole('button', { name: 'Begin' }).click();
      assert.equal(await page.locator('main form').count(), 1, 'a short password is not taken');
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Begin' }).click();
      await page.locator('nav').first().waitFor({ timeout: 30000 });
      assert.doesNotMatch(page.url(), /token/, 'the token is not left in the address');
      await open(page, '/settings?lang=en', url);
      const person = page.locator('form').filter({ has: page.getByRole('button', { name: 'Add' }) });
      await person.getByLabel('Name').fill('victor');
      await person.getByLabel('Role').selectOption('viewer');
      await person.getByLabel('Password').fill(PASSWORD);
      await person.getByRole('button', { name: 'Add' }).click();
      await page.getByRole('rowheader', { name: 'victor' }).waitFor();
      // What others may read, and not write: a note, a goal, a rule and a scenario.
      const kept = await page.evaluate(async () => {
        const post = (path, body) =>
          fetch(`/api/v1${path}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          }).then((response) => response.status);
        return Promise.all([
          post('/notes', { day: '2026-06-10', words: 'new prices' }),
          post('/targets', { metric: 'mrr', wanted: '9000', by: '2026-12' }),
          post('/alerts', { id: 'low', metric: 'mrr', grain: 'month', below: '100', compare: 'value', channels: [] }),
          post('/views', { name: 'cautious', address: '/forecast?set=churn%3D0.1' }),
        ]);
      });
      assert.deepEqual(kept, [200, 200, 200, 200]);
      const link = page.locator('form').filter({ has: page.getByRole('button', { name: 'Make a link' }) });
      await link.getByLabel('Name').fill('board');
      await link.getByRole('button', { name: 'Make a link' }).click();
      const shared = await page.locator('.made code').innerText();
      assert.match(shared, /#share=/);

      // Whoever has the link sees figures, nobody by name, and changes nothing.
      const other = await context.browser().newContext();
      const guest = await other.newPage();
      await guest.goto(shared);
      await settled(guest);
      assert.doesNotMatch(guest.url(), /share=/, 'the secret is not left in the address');
      await guest.locator('a[data-metric=mrr][data-value]').first().waitFor({ timeout: 30000 });
      assert.notEqual(await guest.locator('a[data-metric=mrr]').first().getAttribute('data-value'), '');
      assert.equal(await guest.getByRole('link', { name: 'Customers', exact: true }).count(), 0);
      assert.equal(await guest.getByRole('button', { name: 'Annotate' }).count(), 0);
      const statuses = await guest.evaluate(async () => {
        const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
        const note = JSON.stringify({ day: '2026-09-15', words: 'no' });
        const asked = [fetch('/api/v1/customers'), fetch('/api/v1/notes', { ...post, body: note })];
        return (await Promise.all(asked)).map((response) => response.status);
      });
      assert.deepEqual(statuses, [403, 403]);
      await nothingRefused(guest, open, new URL(shared).origin);

      // Revoked, it is gone at once.
      await page.getByRole('row', { name: /board/ }).getByRole('button', { name: 'Revoke' }).click();
      await page.getByRole('cell', { name: 'revoked', exact: true }).waitFor();
      await guest.reload();
      await guest.getByRole('button', { name: 'Log in' }).waitFor({ timeout: 30000 });
      await other.close();
      await page.getByRole('heading', { name: 'Who did what' }).waitFor();
      assert.match(await page.locator('main').innerText(), /revoked/);

      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByRole('button', { name: 'Log in' }).waitFor({ timeout: 30000 });
    },
    { expected: SHUT },
  );

  await check(
    'a viewer looks, and cannot change anything',
    async (page) => {
      await open(page, '/?lang=en', url);
      await noViolation(page);
      await page.getByLabel('Name').fill('victor');
      await page.getByLabel('Password').fill('the wrong sentence');
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.locator('.reason').waitFor();
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.locator('a[data-metric=mrr]').first().waitFor({ timeout: 30000 });
      assert.equal(await page.getByRole('button', { name: 'Annotate' }).count(), 0);
      await page.keyboard.press('a');
      await page.waitForTimeout(100);
      assert.equal(await page.locator('[role=dialog]').count(), 0, 'no note is offered');
      await open(page, '/month/2026-01?lang=en', url);
      assert.equal(await page.getByRole('button', { name: 'Close the month' }).count(), 0);
      await open(page, '/data?lang=en', url);
      assert.equal(await page.locator('input[type=file]').count(), 0);
      await open(page, '/settings?lang=en', url);
      assert.equal(await page.getByRole('button', { name: 'Make a link' }).count(), 0);
      const statuses = await page.evaluate(async () => {
        const post = (body) => ({
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
        const asked = [
          fetch('/api/v1/notes', post({ day: '2026-01-15', words: 'no' })),
          fetch('/api/v1/targets', post({ metric: 'mrr', wanted: '1', by: '2027-01' })),
          fetch('/api/v1/closes', post({ month: '2026-01' })),
          fetch('/api/v1/users', post({ name: 'eve', role: 'owner', password: 'a long enough sentence' })),
        ];
        return (await Promise.all(asked)).map((response) => response.status);
      });
      assert.deepEqual(statuses, [403, 403, 403, 403]);
    },
    { expected: SHUT },
  );
  end();
}
