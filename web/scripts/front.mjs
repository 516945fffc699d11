// The built app under the headers that the binary serves it with, and /api passed on to a `recurve serve`:
// for working on the app without building the binary anew.  node scripts/front.mjs [API] [PORT]
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
// As in crates/ui/src/lib.rs.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
  'trusted-types svelte-trusted-html';

export function front(api, port = 0) {
  const root = fileURLToPath(new URL('../dist', import.meta.url));
  const target = new URL(api);
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://front');
    if (url.pathname.startsWith('/api/')) {
      // The server knows itself by its own address alone.
      const headers = { ...request.headers, host: target.host };
      if (headers.origin) headers.origin = target.origin;
      const passed = http.request(target, { method: request.method, path: request.url, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      passed.on('error', () => {
        response.writeHead(502).end();
      });
      response.on('close', () => passed.destroy());
      request.pipe(passed);
      return;
    }
    let file = path.join(root, path.normalize(url.pathname));
    const found = file.startsWith(root) && fs.existsSync(file) && fs.statSync(file).isFile();
    if (!found && url.pathname.startsWith('/assets/')) {
      response.writeHead(404).end();
      return;
    }
    if (!found) file = path.join(root, 'index.html');
    const packed = fs.existsSync(`${file}.br`) && /\bbr\b/.test(request.headers['accept-encoding'] ?? '');
    response.writeHead(200, {
      'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      ...(packed ? { 'content-encoding': 'br' } : {}),
    });
    fs.createReadStream(packed ? `${file}.br` : file).pipe(response);
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await front(process.argv[2] ?? 'http://127.0.0.1:8080', Number(process.argv[3] ?? 5180));
  console.log(`http://127.0.0.1:${server.address().port}`);
}
