// After `vite build`: a brotli twin beside each text asset, so that the server compresses nothing while it answers.
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

function files(folder) {
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? files(path.join(folder, entry.name)) : [path.join(folder, entry.name)]));
}

let before = 0;
let after = 0;
for (const file of files('dist').filter((name) => /\.(html|js|css|svg|json|txt)$/.test(name))) {
  const plain = fs.readFileSync(file);
  const packed = zlib.brotliCompressSync(plain, {
    params: {
      [zlib.constants.BROTLI_PARAM_QUALITY]: 11,
      [zlib.constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
    },
  });
  if (packed.length < plain.length * 0.95) {
    fs.writeFileSync(`${file}.br`, packed);
    before += plain.length;
    after += packed.length;
  }
}
console.log(`brotli: ${before} → ${after} bytes`);
