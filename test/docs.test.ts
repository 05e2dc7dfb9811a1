import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect } from 'chai';
import { checkConfig } from '../instrumentation/config.js';
import { ATTRIBUTES } from '../instrumentation/telemetry/attribute-table.js';
import { METRICS } from '../instrumentation/telemetry/metric-table.js';
import { EVENTS, SPAN_EVENTS } from '../instrumentation/telemetry/signal-table.js';
import { OPTIMIZATIONS, type OptimizationName } from '../src/rollout/flags.js';
import { checkoutDirectory } from './checkout.js';

const ROOT = checkoutDirectory();
const PAGES = [
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'SECURITY.md',
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

/** The environment variables of ours that a text names. */
function variablesOf(text: string): string[] {
  return [...new Set(text.match(/ENHANCED_POOL_[A-Z_]+/g))];
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
      const known = variablesOf(
        ['environment', 'cli'].map((name) => read(`instrumentation/${name}.ts`)).join(),
      );
      for (const variable of variablesOf(text)) expect(known).include(variable);
      const names = [...METRICS, ...EVENTS, ...SPAN_EVENTS]
        .map(({ name }) => name)
        .concat(Object.keys(ATTRIBUTES));
      for (const [name] of text.matchAll(/enhanced_pool(\.[a-z_]+)+/g)) {
        const isKnown = names.some((known) => known === name || known.startsWith(`${name}.`));
        expect(isKnown, name).equal(true);
      }
    });
  }

  it('lists every key of the configuration', () => {
    const text = read('docs/configuration.md');
    const cells = new Set([...text.matchAll(/^\| `([^`]+)`/gm)].map(([, key]) => key));
    for (const key of keysOf('').filter((name) => name !== 'telemetry')) expect(cells).include(key);
    for (const key of keysOf('telemetry')) expect(cells).include(`telemetry.${key}`);
    for (const key of keysOf('options')) expect(cells).include(key);
  });

  it('lists every variable of the environment, and every code of an error', () => {
    const configuration = read('docs/configuration.md');
    for (const page of ['environment', 'cli'])
      for (const variable of variablesOf(read(`instrumentation/${page}.ts`)))
        expect(configuration).match(new RegExp(`^\\| \`${variable}[=\`]`, 'm'));
    const [, union] = /type PoolErrorCode =([\s\S]+?);\n\n/.exec(read('src/errors.ts'))!;
    const codes = [...union!.matchAll(/\| '([A-Z_]+)'/g)].map(([, code]) => code!);
    expect(codes).include('ACQUIRE_TIMEOUT');
    for (const code of codes) expect(read('docs/troubleshooting.md')).contain(`\n| \`${code}\` |`);
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
