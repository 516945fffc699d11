// The demo company, served: what tests and screenshots look at.
// RECURVE is the program; RECURVE_URL is a server that runs already.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { front } from './front.mjs';

/** The demo ends on 2026-11-01; seen from here, its last month is still running. */
export const NOW = '2026-10-22';

/** Starts a server on a data folder; `said` is all that it has said until then. */
async function started(program, data, words, port = '0') {
  const server = spawn(program, ['--data', data, 'serve', '--port', port, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const url = await new Promise((resolve, reject) => {
    const heard = (chunk) => {
      said += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) resolve(found[0]);
    };
    server.stdout.on('data', heard);
    server.stderr.on('data', heard);
    server.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  });
  return { url, server, said: () => said };
}

/** Stops a server and takes its folder away; what the server still writes at its end is taken away in further turns. */
function leave(server, folder) {
  server.kill();
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** `small`: a company of few customers and months, for a program that was not built to be fast. */
export async function company({ small = false } = {}) {
  if (process.env.RECURVE_URL) return withApp(process.env.RECURVE_URL, () => undefined);
  const program = process.env.RECURVE;
  if (!program) throw new Error('Set RECURVE to the program, such as RECURVE=$(which recurve)');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'recurve-web-'));
  const data = path.join(folder, 'data');
  const size = small ? ['--customers', '150', '--months', '14', '--seed', '3'] : [];
  execFileSync(program, ['--data', data, 'demo', ...size], { stdio: 'ignore' });
  const { url, server } = await started(program, data, ['--now', NOW, '--open', 'editor']);
  const served = await withApp(url, () => leave(server, folder));
  return { ...served, program, data, now: NOW };
}

/** A small company behind a door: nobody has chosen a password yet. */
export async function guarded() {
  const program = process.env.RECURVE;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'recurve-door-'));
  const data = path.join(folder, 'data');
  const file = path.join(folder, 'subscriptions.csv');
  fs.writeFileSync(
    file,
    'subscription,customer,plan,currency,amount,interval,start\n' +
      's1,ann,team,USD,1000,month,2026-01-10\ns2,ben,team,USD,500,month,2026-06-10\n',
  );
  execFileSync(program, ['--data', data, 'import', 'subscriptions', file], { stdio: 'ignore' });
  const { url, server, said } = await started(program, data, ['--now', NOW]);
  for (let turn = 0; turn < 50 && !/#token=\w+/.test(said()); turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const served = await withApp(url, () => leave(server, folder));
  return { ...served, setup: /http:\S+#token=\w+/.exec(said())[0] };
}

/** A server without a door, on no fact or on what subscriptions say; it can be stopped and started again. */
export async function own(subscriptions = null) {
  const program = process.env.RECURVE;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'recurve-own-'));
  const data = path.join(folder, 'data');
  const words = ['--now', NOW, '--open', 'editor'];
  function take(rows) {
    const file = path.join(folder, `subscriptions-${Date.now()}.csv`);
    fs.writeFileSync(file, `subscription,customer,plan,currency,amount,interval,start\n${rows.join('\n')}\n`);
    execFileSync(program, ['--data', data, 'import', 'subscriptions', file], { stdio: 'ignore' });
  }
  if (subscriptions) take(subscriptions);
  else execFileSync(program, ['--data', data, 'init'], { stdio: 'ignore' });
  let running = await started(program, data, words);
  const { url } = running;
  const served = await withApp(url, () => leave(running.server, folder));
  return {
    ...served,
    take,
    stop: () =>
      new Promise((resolve) => {
        running.server.once('exit', resolve);
        running.server.kill();
      }),
    start: async () => (running = await started(program, data, words, new URL(url).port)),
  };
}

/** A binary that was built without the app shows a page that says so; then the app stands in front of it. */
async function withApp(api, end) {
  const page = await (await fetch(api, { headers: { accept: 'text/html' } })).text();
  // RECURVE_FRONT=1: the app as it was built last, whatever the binary has inside.
  if (page.includes('/assets/') && !process.env.RECURVE_FRONT) return { url: api, api, inside: true, end };
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
