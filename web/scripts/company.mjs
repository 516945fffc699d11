// The demo company, served: what tests and screenshots look at.
// RECURVE is the program; RECURVE_URL is a server that runs already.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { front } from './front.mjs';

/** The demo ends on 2026-11-01; seen from here, its last month is still running. */
export const NOW = '2026-10-22';

export async function company() {
  if (process.env.RECURVE_URL) return withApp(process.env.RECURVE_URL, () => undefined);
  const program = process.env.RECURVE;
  if (!program) throw new Error('Set RECURVE to the program, such as RECURVE=$(which recurve)');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'recurve-web-'));
  const data = path.join(folder, 'data');
  execFileSync(program, ['--data', data, 'demo'], { stdio: 'ignore' });
  const server = spawn(program, ['--data', data, 'serve', '--port', '0', '--now', NOW, '--open', 'editor'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const url = await new Promise((resolve, reject) => {
    let said = '';
    const heard = (chunk) => {
      said += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) resolve(found[0]);
    };
    server.stdout.on('data', heard);
    server.stderr.on('data', heard);
    server.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  });
  return withApp(url, () => {
    server.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  });
}

/** A binary that was built without the app shows a page that says so; then the app stands in front of it. */
async function withApp(api, end) {
  const page = await (await fetch(api, { headers: { accept: 'text/html' } })).text();
  if (page.includes('/assets/')) return { url: api, api, inside: true, end };
  const server = await front(api);
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    api,
    inside: false,
    end: () => {
      server.close();
      server.closeAllConnections();
      end();
    },
  };
}
