// Chromium for tests and screenshots: Debian's own, in a fixed shape.
import fs from 'node:fs';
import { chromium } from 'playwright-core';

export function chromiumPath() {
  const candidates = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  return candidates.find((candidate) => candidate && fs.existsSync(candidate)) ?? null;
}

export async function launch() {
  const executablePath = chromiumPath();
  if (!executablePath) {
    throw new Error('There is no Chromium here: apt-get install chromium fonts-noto-cjk, or set CHROMIUM to its path.');
  }
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--font-render-hinting=none',
    ],
  });
}

/** Waits until everything that was asked has been answered and drawn. */
export async function settled(page) {
  await page.waitForSelector('main');
  await page.waitForLoadState('networkidle', { timeout: 3000 }).catch(() => undefined);
  await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]'), undefined, { timeout: 60000 });
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(150);
}
