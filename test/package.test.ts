import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { checkoutDirectory } from './checkout.js';

const NAME = 'opentelemetry-instrumentation-enhanced-pool';

/** What each entry gives, by design; others may be added, none taken away. */
const ENTRIES: Readonly<Record<string, readonly string[]>> = {
  '': ['EnhancedPoolInstrumentation', 'withQueryHint', 'poolReports'],
  '/engine': ['createPool', 'classify', 'fingerprint', 'PoolError'],
  '/patches': ['patchPgPool', 'patchMysql2Pool', 'patchKnex'],
  '/pg': ['enhancePool'],
  '/mysql2': ['enhancePool'],
  '/knex': ['enhanceKnex'],
};

const root = checkoutDirectory();

const manifest: {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, unknown>>;
} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** What each workflow has to run. */
const WORKFLOWS: Readonly<Record<string, readonly string[]>> = {
  ci: ['.ci/run', 'npm run check:package', 'npm run audit'],
  publish: ['.ci/run', 'npm run check:package', 'npm run audit', 'npm publish --provenance --access public'],
};

interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly permissions?: unknown;
        readonly strategy?: { readonly matrix?: { readonly run?: readonly string[] } };
        readonly steps: readonly { readonly run?: string }[];
      }
    >
  >;
}

interface Packed {
  readonly files: readonly { readonly path: string }[];
}

describe('the package', () => {
  for (const [entry, names] of Object.entries(ENTRIES)) {
    it(`gives ${names.join(', ')} from ${NAME}${entry}, to require and to import alike`, () => {
      const tell = `console.log(JSON.stringify(${JSON.stringify(names)}.map((name) => typeof given[name])))`;
      const run = (kind: string, code: string) =>
        execFileSync(process.execPath, [`--input-type=${kind}`, '-e', `${code}; ${tell}`], {
          cwd: root,
          encoding: 'utf8',
        });
      const wanted = names.map(() => 'function');
      expect(JSON.parse(run('commonjs', `const given = require('${NAME}${entry}')`))).deep.equal(wanted);
      expect(JSON.parse(run('module', `import * as given from '${NAME}${entry}'`))).deep.equal(wanted);
    });
  }

  it('has the declared types and files, and nothing that only the checkout needs', () => {
    const [packed] = JSON.parse(
      execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
        cwd: root,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    ) as [Packed];
    const files = packed.files.map(({ path }) => path);
    const promised = Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target),
    );
    for (const target of promised) expect(files).contain(target.replace('./', ''));
    expect(files).contain('LICENSE').and.contain('README.md');
    const strays = files.filter((path) =>
      /(^|\/)(test|bench|scripts|examples(?!\/observability)|node_modules|\.cache)\//.test(path),
    );
    expect(strays).deep.equal([]);
  });

  it('can be installed beside any version of any library: those that it does not know stay stock', () => {
    const { peerDependencies, peerDependenciesMeta } = manifest;
    for (const library of ['pg', 'mysql2', 'knex', 'redis']) {
      expect(peerDependencies[library], library).equal('*');
      expect(peerDependenciesMeta[library], library).deep.equal({ optional: true });
    }
  });

  it('runs nothing when it is installed, and brings one package along', () => {
    const { scripts, dependencies } = manifest;
    expect(scripts).not.have.any.keys('preinstall', 'install', 'postinstall', 'prepare');
    expect(Object.keys(dependencies)).deep.equal(['@opentelemetry/instrumentation']);
  });

  it('loads an adapter with its library, and what few want when they ask for it', () => {
    const tell = `const ours = Object.keys(require.cache).filter((file) => !file.includes('node_modules'));
      console.log(JSON.stringify([...ours, ...process.moduleLoadList]))`;
    const loadedWith = (library: string): string[] =>
      JSON.parse(
        execFileSync(
          process.execPath,
          ['--input-type=commonjs', '-e', `require('${NAME}/register'); require('${library}'); ${tell}`],
          { cwd: root, encoding: 'utf8' },
        ),
      );
    const others = { pg: ['mysql2', 'knex'], mysql2: ['pg', 'knex'] };
    for (const [library, absent] of Object.entries(others)) {
      const loaded = loadedWith(library);
      const isThere = (part: string) => loaded.some((file) => file.endsWith(part));
      expect(isThere(`/adapters/${library}/patch.js`), library).equal(true);
      for (const other of absent) expect(isThere(`/adapters/${other}/patch.js`), other).equal(false);
      for (const rare of ['/console/console.js', '/redis/leases.js', 'NativeModule http'])
        expect(isThere(rare), rare).equal(false);
    }
  });

  it('is checked and published by workflows that hold no token and run what exists', () => {
    for (const [name, needed] of Object.entries(WORKFLOWS)) {
      const text = readFileSync(join(root, '.github/workflows', `${name}.yml`), 'utf8');
      const { permissions, jobs } = parse(text) as Workflow;
      const steps = Object.values(jobs).flatMap((job) => job.steps.flatMap(({ run }) => run ?? []));
      const runs = Object.values(jobs).flatMap((job) => job.strategy?.matrix?.run ?? []);
      expect(permissions).deep.equal({ contents: 'read' });
      expect(text).not.contain('secrets.');
      expect(steps).include.members(needed);
      const named = [...steps.flatMap((step) => /^npm run ([\w:]+)$/.exec(step)?.[1] ?? []), ...runs];
      expect(manifest.scripts).include.keys(...named);
    }
    const { publish } = (parse(readFileSync(join(root, '.github/workflows/publish.yml'), 'utf8')) as Workflow)
      .jobs;
    expect(publish?.permissions).deep.equal({ contents: 'read', 'id-token': 'write' });
  });
});
