// The app in Chromium, against a real server with the demo company.
// RECURVE=… node tests/browser/run.mjs [--quick | --smoke] [--only=WORDS] [pages|figures|opened|pictures|use|states|people …]
//   --quick  English alone
//   --smoke  some pages of a small company, each once, for a build that is slow: no chart is timed and nothing is counted
//   pages    every page in three languages and two themes: no console error, no policy report, no violation, no jump
//   figures  what charts and cards show is what the API and the command line say
//   opened   every number opens to itself, and to what makes it
//   pictures a chart as PNG, as SVG and in the clipboard
//   use      links, keys, hidden amounts, import, closing a month, paper
//   states   links that bring a screen back, what is said where facts are missing, a server that goes and comes
//   people   the first owner, logging in, roles, links for others
import { launch } from '../../scripts/browser.mjs';
import { company } from '../../scripts/company.mjs';
import figures from './figures.mjs';
import { harness } from './harness.mjs';
import opened from './opened.mjs';
import pages from './pages.mjs';
import people from './people.mjs';
import pictures from './pictures.mjs';
import states from './states.mjs';
import use from './use.mjs';

const PARTS = { pages, figures, opened, pictures, use, states, people };
const words = process.argv.slice(2);
const quick = words.includes('--quick');
const only = words.find((word) => word.startsWith('--only='))?.slice('--only='.length) ?? null;
const named = words.filter((word) => !word.startsWith('--'));
const smoke = words.includes('--smoke');
const server = await company({ small: smoke });
console.log(
  server.inside ? 'the app is inside the binary' : 'the binary was built without the app: it stands in front of it',
);
const browser = await launch();
const tests = harness(browser, server, only);
for (const [name, part] of Object.entries(PARTS)) {
  if (named.length > 0 ? !named.includes(name) : smoke && name !== 'pages') continue;
  await part(tests, { ...server, browser, quick, smoke });
  console.log(`${name}: ${tests.count.held} held, ${tests.count.failed} failed`);
}
await browser.close();
server.end();
process.exit(tests.count.failed > 0 ? 1 : 0);
