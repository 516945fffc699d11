// A chart as a picture: as PNG, as SVG and in the clipboard, in the colours of the theme, with what it is of.
import assert from 'node:assert/strict';
import fs from 'node:fs';

/** The file that a button of the choice of pictures gives. */
async function taken(page, chart, kind) {
  const card = page.locator(`[data-chart=${chart}]`);
  const button = card.getByRole('button', { name: kind, exact: true });
  if ((await button.count()) === 0) await card.getByRole('button', { name: /^Picture/ }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), button.click()]);
  assert.match(
    download.suggestedFilename(),
    new RegExp(`^recurve-${chart}-\\d{4}-\\d\\d-\\d\\d\\.${kind.toLowerCase()}$`),
  );
  return fs.readFileSync(await download.path());
}

/** How large a PNG is, and the colours of some of its pixels. */
async function pixels(page, png, points) {
  return page.evaluate(
    async ([data, at]) => {
      const image = new Image();
      image.src = `data:image/png;base64,${data}`;
      await image.decode();
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [image.width, image.height];
      const pen = canvas.getContext('2d', { willReadFrequently: true });
      pen.drawImage(image, 0, 0);
      const all = pen.getImageData(0, 0, image.width, image.height).data;
      const colours = new Set();
      for (let place = 0; place < all.length; place += 4) {
        colours.add(`${all[place]},${all[place + 1]},${all[place + 2]}`);
      }
      return {
        width: image.width,
        height: image.height,
        of: at.map(([x, y]) => [...pen.getImageData(x, y, 1, 1).data].slice(0, 3).join(',')),
        colours: [...colours],
      };
    },
    [png.toString('base64'), points],
  );
}

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(',');

export default async function pictures({ check, open }) {
  await check('a chart is kept as PNG in the colours of the theme', async (page) => {
    for (const [theme, surface, fresh] of [
      ['light', '#ffffff', '#2563eb'],
      ['dark', '#16181d', '#3e7bf2'],
    ]) {
      await open(page, `/mrr?lang=en&theme=${theme}`);
      const drawn = await page.locator('[data-chart=movements] .drawn').boundingBox();
      const png = await taken(page, 'movements', 'PNG');
      const seen = await pixels(page, png, [[2, 2]]);
      // Twice as fine as the screen, with an edge.
      assert.equal(seen.width, Math.ceil(drawn.width + 32) * 2);
      assert.ok(seen.height > drawn.height * 2, `${seen.height} of ${drawn.height}`);
      assert.equal(seen.of[0], rgb(surface), theme);
      assert.ok(seen.colours.includes(rgb(fresh)), `new MRR is ${fresh} in ${theme}`);
    }
  });

  await check('a chart is kept as SVG that is a picture by itself, and says of what it is', async (page) => {
    for (const [where, chart, wanted] of [
      ['/mrr?lang=en&theme=light&f=plan:is:team', 'movements', ['MRR movements', 'Nov 2025 – Oct 2026', 'plan=team']],
      ['/retention?lang=en&theme=dark', 'cohorts', ['Below 100%: shrinking', 'Cohort']],
      ['/funnel?lang=en&theme=light', 'funnel', ['From visit to customer', 'Sign-up']],
      ['/forecast?lang=en&theme=light', 'forecast', ['80% interval', 'Where will it be in 6 months']],
      ['/mrr?lang=en&theme=light&view=bridge', 'bridge', ['Opening', 'Churn']],
    ]) {
      await open(page, where);
      const shown = await page.locator(`[data-chart=${chart}] .drawn`).innerText();
      const svg = (await taken(page, chart, 'SVG')).toString('utf8');
      // A page without the policy of ours, which lets nobody parse.
      await page.goto('about:blank');
      const parsed = await page.evaluate((text) => {
        const read = new DOMParser().parseFromString(text, 'image/svg+xml');
        return {
          wrong: read.querySelector('parsererror')?.textContent ?? null,
          words: [...read.querySelectorAll('text')].map((one) => one.textContent),
          shapes: read.querySelectorAll('path, rect, line, circle').length,
          styled: read.querySelectorAll('[style], style, [class], script, image, foreignObject').length,
        };
      }, svg);
      assert.equal(parsed.wrong, null);
      assert.equal(parsed.styled, 0, 'it has no style and nothing that would be fetched');
      assert.doesNotMatch(svg, /var\(|https?:(?!\/\/www\.w3\.org)/);
      assert.ok(parsed.shapes > 8, `${chart} has ${parsed.shapes} shapes`);
      const said = parsed.words.join('\n');
      for (const words of [...wanted, 'As of: ', 'Recurve'])
        assert.ok(said.includes(words), `${chart} says ${words}\n${said}`);
      // What stands on the screen stands in the picture.
      const flat = said.replace(/\s+/g, '');
      for (const number of shown.match(/[+−$]*[\d,.]+[%K]?/g) ?? []) {
        assert.ok(flat.includes(number), `${chart}: ${number} is missing`);
      }
    }
  });

  await check('keys make a picture, and it is in the clipboard', async (page, context) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await open(page, '/revenue?lang=en');
    const button = page.locator('[data-chart=basis]').getByRole('button', { name: /^Picture/ });
    await button.focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.textContent.trim() === 'PNG');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('Copied').waitFor();
    const kinds = await page.evaluate(async () => (await navigator.clipboard.read()).flatMap((item) => item.types));
    assert.deepEqual(kinds, ['image/png']);
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.activeElement.getAttribute('aria-expanded') === 'false');
  });

  await check('hidden amounts are hidden in a picture', async (page) => {
    await open(page, '/mrr?lang=en');
    await page.keyboard.press('.');
    await page.waitForTimeout(100);
    const svg = (await taken(page, 'movements', 'SVG')).toString('utf8');
    assert.doesNotMatch(svg, />[^<]*\$\d/);
    assert.match(svg, /•••/);
  });
}
