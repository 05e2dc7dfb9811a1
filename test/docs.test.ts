import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect } from 'chai';
import { checkConfig } from '../instrumentation/config.js';
import { ATTRIBUTES } from '../instrumentation/telemetry/attribute-table.js';
import { METRICS } from '../instrumentation/telemetry/metric-table.js';
import { EVENTS } from '../instrumentation/telemetry/signal-table.js';
import { OPTIMIZATIONS, type OptimizationName } from '../src/rollout/flags.js';
import { checkoutDirectory } from './checkout.js';

const ROOT = checkoutDirectory();
const PAGES = [
  'README.md',
  'ARCHITECTURE.md',
  ...readdirSync(join(ROOT, 'docs')).flatMap((name) => (name.endsWith('.md') ? join('docs', name) : [])),
];
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');

/** As GitHub makes them of headings, and those that are written out. */
function anchorsOf(page: string): string[] {
  const text = read(page);
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
  return [...headings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id!)];
}

/** What a checked section knows, by its own words. */
function keysOf(section: string): string[] {
  const nonsense = { nonsense: 1 };
  const { faults } = checkConfig(section === '' ? nonsense : { [section]: nonsense });
  return faults[0]!.split('known are ')[1]!.split(', ');
}

describe('the documentation', () => {
  for (const page of PAGES) {
    it(`${page}: every link leads somewhere`, () => {
      const broken: string[] = [];
      for (const [, target] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target!)) continue;
        const [path, anchor] = target!.split('#') as [string, string?];
        const to = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
        const isThere =
          existsSync(join(ROOT, to)) && (anchor === undefined || anchorsOf(to).includes(anchor));
        if (!isThere) broken.push(target!);
      }
      expect(broken).deep.equal([]);
    });

    it(`${page}: every script, variable and name of ours in it exists`, () => {
      const text = read(page);
      const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
      for (const [, script] of text.matchAll(/npm run ([a-z]+(?::[a-z]+)*)/g))
        expect(scripts).have.property(script!);
      const variables = ['ENABLED', 'CONFIG', 'OPTIMIZATIONS', 'CONSOLE', 'FLEET', 'FLEET_REDIS'];
      for (const [, variable] of text.matchAll(/ENHANCED_POOL_([A-Z_]+)/g))
        expect(variables).include(variable);
      const names = [...METRICS, ...EVENTS].map(({ name }) => name).concat(Object.keys(ATTRIBUTES));
      for (const [name] of text.matchAll(/enhanced_pool(\.[a-z_]+)+/g)) {
        const isKnown = names.some((known) => known === name || known.startsWith(`${name}.`));
        expect(isKnown, name).equal(true);
      }
    });
  }

  it('lists every key of the configuration', () => {
    const text = read('docs/configuration.md');
    const cells = new Set([...text.matchAll(/^\| `([^`]+)`/gm)].map(([, key]) => key));
    const given = ['telemetry', 'enabled'];
    for (const key of keysOf('').filter((name) => !given.includes(name))) expect(cells).include(key);
    for (const key of keysOf('telemetry')) expect(cells).include(`telemetry.${key}`);
    for (const key of keysOf('options')) expect(cells).include(key);
  });

  it('says the default of every flag, and how each that is built decides', () => {
    const text = read('docs/configuration.md');
    const decisions = read('docs/optimizations.md');
    for (const [name, { fallback, built }] of Object.entries(OPTIMIZATIONS)) {
      if (built) {
        expect(text, name).match(new RegExp(`^\\| \`${name}\` \\|[^|]*\\| \`${fallback}\``, 'm'));
        expect(decisions, name).match(new RegExp(`^\\| \`${name}\` \\|`, 'm'));
      } else {
        expect(text, name satisfies string as OptimizationName).contain(`\`${name}\``);
      }
    }
  });
});
