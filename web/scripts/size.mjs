// The budgets of the built app, in bytes over the wire. What is over a budget fails.
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

const KB = 1000;
const assets = path.join('dist', 'assets');
const gzip = (file) => zlib.gzipSync(fs.readFileSync(file), { level: 9 }).length;
const names = fs.readdirSync(assets).filter((name) => !name.endsWith('.br'));

// What the first page loads: the entry of index.html, what it imports at once, and the chunks of the overview.
const html = fs.readFileSync(path.join('dist', 'index.html'), 'utf8');
const first = new Set([...html.matchAll(/(?:src|href)="\/assets\/([^"]+)"/g)].map(([, name]) => name));
function follow(name) {
  const text = fs.readFileSync(path.join(assets, name), 'utf8');
  for (const [, next] of text.matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g)) {
    if (!first.has(next)) {
      first.add(next);
      follow(next);
    }
  }
}
for (const name of [...first].filter((one) => one.endsWith('.js'))) follow(name);
for (const name of names.filter((one) => /^(Overview|en)-/.test(one))) {
  first.add(name);
  if (name.endsWith('.js')) follow(name);
}

const js = [...first].filter((name) => name.endsWith('.js'));
const css = names.filter((name) => name.endsWith('.css'));
const total = (list) => list.reduce((sum, name) => sum + gzip(path.join(assets, name)), 0);
const lazy = names.filter((name) => name.endsWith('.js') && !first.has(name));
const largest = lazy.map((name) => [gzip(path.join(assets, name)), name]).sort((a, b) => b[0] - a[0])[0] ?? [0, ''];
const fonts = [...first].filter((name) => name.endsWith('.woff2'));
const fontBytes = fonts.reduce((sum, name) => sum + fs.statSync(path.join(assets, name)).size, 0);
const firstCss = [...first].filter((name) => name.endsWith('.css'));
const wire = total(js) + total(firstCss) + fontBytes + gzip(path.join('dist', 'index.html'));
const files = (folder) =>
  fs
    .readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? files(path.join(folder, entry.name)) : [path.join(folder, entry.name)]));
const embedded = files('dist').reduce((sum, file) => sum + fs.statSync(file).size, 0);

const budgets = [
  ['JavaScript of the first page, gzip', total(js), 90 * KB],
  [`largest chunk that is loaded later, gzip (${largest[1]})`, largest[0], 25 * KB],
  ['all CSS, gzip', total(css), 12 * KB],
  ['fonts of the first page', fontBytes, 50 * KB],
  ['first load over the wire, without the API', wire, 170 * KB],
  ['files of the first page, with the page itself', first.size + 3, 10, 'files'],
  ['embedded in the binary, with the compressed twins', embedded, 1000 * KB],
];
let over = 0;
for (const [name, amount, limit, unit = 'kB'] of budgets) {
  const held = amount <= limit;
  if (!held) over += 1;
  const shown = (value) => (unit === 'kB' ? (value / KB).toFixed(1) : String(value));
  console.log(
    `${held ? ' ok ' : 'OVER'}  ${shown(amount).padStart(7)} of ${shown(limit).padStart(6)} ${unit.padEnd(5)}  ${name}`,
  );
}
process.exit(over > 0 ? 1 : 0);
