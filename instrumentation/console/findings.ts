import type { PoolReport } from '../../src/index.js';

const MOST_LEAKS = 10;

/** What a report knows that no number or table of the console shows, in sentences. */
export function findingsOf({ leaks, pooler, fleet, names, statements }: PoolReport): string[] {
  return [
    ...leaks.slice(0, MOST_LEAKS).map(leakInWords),
    ...(leaks.length > MOST_LEAKS ? [`${leaks.length - MOST_LEAKS} more have been held for as long`] : []),
    ...poolerInWords(pooler),
    ...fleetInWords(fleet),
    ...names.map(nameInWords),
    ...statementsInWords(statements),
  ];
}

function leakInWords({ connectionId, heldMs, fingerprint, holder }: PoolReport['leaks'][number]): string {
  const who = holder === undefined ? '' : ` by ${holder}`;
  const what = fingerprint === undefined ? '' : `; what ran last is ${fingerprint}`;
  return `connection ${connectionId} has been held for ${Math.round(heldMs)} ms${who}${what}`;
}

function poolerInWords(pooler: PoolReport['pooler']): string[] {
  if (pooler === undefined || pooler.mode === 'none') return [];
  const mode = pooler.mode === 'unknown' ? 'taken to be in transaction mode' : `in ${pooler.mode} mode`;
  return [`a pooler stands before the server, ${mode}, ${pooler.declared ? 'as configured' : 'as was seen'}`];
}

function fleetInWords(fleet: PoolReport['fleet']): string[] {
  if (fleet === undefined) return [];
  const { state, budget, share, held, members } = fleet;
  const others = members === undefined ? '' : `, among ${members} members`;
  return [`${held} held of a share of ${share}, out of a budget of ${budget}${others}; state: ${state}`];
}

function nameInWords({ host, addresses, gone }: PoolReport['names'][number]): string {
  const now = addresses.length === 0 ? 'has not been looked up yet' : `is ${addresses.join(', ')}`;
  return gone.length === 0
    ? `${host} ${now}`
    : `${host} ${now}; connections to ${gone.join(', ')} are replaced`;
}

function statementsInWords(statements: PoolReport['statements']): string[] {
  if (statements === undefined || statements.prepared === 0) return [];
  const { prepared, preparedAhead, preparedHits, deallocated, unprepared } = statements;
  return [
    `statements prepared: ${prepared}, of which ${preparedAhead} ahead; ${preparedHits} runs under such a name, ` +
      `${deallocated} names taken back, ${unprepared} given up because they cost more`,
  ];
}
