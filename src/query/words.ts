import {
  aggregateCalls,
  effectCalls,
  lockCalls,
  type Names,
  pureCalls,
  syntaxBeforeParenthesis,
} from './calls.js';
import { type Lead, leads } from './leads.js';

/** What a word does to the reading of a statement. */
export const Role = {
  plain: 0,
  select: 1,
  insert: 2,
  change: 3,
  delete: 4,
  merge: 5,
  replace: 6,
  values: 7,
  with: 8,
  into: 9,
  from: 10,
  join: 11,
  using: 12,
  where: 13,
  set: 14,
  endsTargets: 15,
  order: 16,
  combines: 17,
  aggregates: 18,
  distinct: 19,
  or: 20,
  ranges: 21,
  inList: 22,
  as: 23,
  on: 24,
  by: 25,
  skipped: 26,
  share: 27,
  analyze: 28,
  temporary: 29,
  table: 30,
  ddlObject: 31,
  begin: 32,
  stdout: 33,
  value: 34,
  for: 35,
  // Words from here on change nothing themselves; others ask what they follow.
  joins: 36,
  to: 37,
  constant: 38,
  local: 39,
  transaction: 40,
  next: 41,
  previous: 42,
  key: 43,
  not: 44,
  start: 45,
  rollback: 46,
  prepare: 47,
  row: 48,
} as const;

export type Role = (typeof Role)[keyof typeof Role];

export const FIRST_INERT = Role.joins;

/** What `word(` does. Whatever is not listed is a function that we know nothing of. */
export const Call = {
  unknown: 0,
  syntax: 1,
  pure: 2,
  aggregate: 3,
  /** Changes data, the server or the wire. */
  effect: 4,
  /** Leaves something behind on this connection. */
  sessionEffect: 5,
  /** Syntax after a closing parenthesis (`count(*) FILTER (…)`), a user's function anywhere else. */
  afterParenthesis: 6,
  /** Syntax after GROUP BY (`GROUP BY CUBE (…)`), a user's function anywhere else. */
  afterBy: 7,
  /** `= ANY (…)` and `JOIN (…)`: syntax after an operator, or in a list of tables; elsewhere a user's function. */
  afterOperator: 8,
  inTargets: 9,
  /** LAST_INSERT_ID() reads, LAST_INSERT_ID(n) writes the session. */
  lastInsertId: 10,
  /** `GROUP BY (a, b)`, `ORDER BY (x)`. */
  afterGrouping: 11,
} as const;

export type Call = (typeof Call)[keyof typeof Call];

/** The token of a name of the application's own. Words that the reader knows are the numbers after it. */
export const WORD = 256;
const MAX_WORDS = 2048;
const MAX_LETTERS = 16_384;

/** By token, so that marks and literals, which are smaller numbers, have entries too: `plain` and `unknown`. */
export const roleOf = new Uint8Array(WORD + MAX_WORDS);
export const postgresqlCallOf = new Uint8Array(WORD + MAX_WORDS);
export const mysqlCallOf = new Uint8Array(WORD + MAX_WORDS);
const leadNumbers = new Uint8Array(WORD + MAX_WORDS);
const numberedLeads: readonly (Lead | undefined)[] = [undefined, ...leads];

/** What a statement is that begins with this token. */
export function leadOf(token: number): Lead | undefined {
  return numberedLeads[leadNumbers[token]!];
}

const roles: readonly (readonly [Role, string])[] = [
  [Role.select, 'select'],
  [Role.insert, 'insert'],
  [Role.change, 'update'],
  [Role.delete, 'delete'],
  [Role.merge, 'merge'],
  [Role.replace, 'replace'],
  [Role.values, 'values'],
  [Role.with, 'with'],
  [Role.into, 'into'],
  [Role.from, 'from'],
  [Role.join, 'join straight_join'],
  [Role.joins, 'left right inner cross full outer natural'],
  [Role.using, 'using'],
  [Role.where, 'where'],
  [Role.set, 'set'],
  [Role.endsTargets, 'limit offset fetch window returning procedure'],
  [Role.combines, 'union except intersect minus'],
  [Role.aggregates, 'group having over'],
  [Role.or, 'or xor'],
  [Role.ranges, 'between like ilike similar regexp rlike any some'],
  [
    Role.skipped,
    'only lateral if exists concurrently recursive low_priority high_priority delayed quick ignore',
  ],
  [Role.constant, 'null true false'],
  [Role.as, 'as'],
  [Role.share, 'share'],
  [Role.analyze, 'analyze analyse'],
  [Role.temporary, 'temp temporary pg_temp'],
  [Role.table, 'table tables'],
  [Role.distinct, 'distinct'],
  [Role.inList, 'in'],
  [Role.to, 'to'],
  [Role.stdout, 'stdout'],
  [Role.value, 'value'],
  [Role.next, 'next'],
  [Role.previous, 'previous'],
  [Role.for, 'for'],
  [Role.key, 'key'],
  [Role.not, 'not'],
  [Role.start, 'start'],
  [Role.rollback, 'rollback'],
  [Role.prepare, 'prepare'],
  [Role.begin, 'begin'],
  [Role.on, 'on'],
  [Role.by, 'by'],
  [Role.local, 'local'],
  [Role.row, 'row'],
  [Role.order, 'order partition'],
  [
    Role.ddlObject,
    `view index database schema sequence function procedure trigger user role type domain extension event policy rule
     aggregate tablespace server publication subscription statistics collation operator cast language`,
  ],
  [Role.transaction, 'transaction constraints'],
];

// An open-addressed table from a word's hash to its token, so that looking one up allocates nothing.
const SLOTS = 4096;
const hashes = new Int32Array(SLOTS);
const tokens = new Uint16Array(SLOTS);
/** The letters of all words, one word after the other, which take far less than as many strings; word `n` begins at `starts[n]`. */
const letters = new Uint8Array(MAX_LETTERS);
const starts = new Uint16Array(MAX_WORDS + 1);
/** With number 0, which is none of ours but stands for `WORD`. */
let wordCount = 1;

/** Whether a word with this hash can be one of ours. */
export function mayKnow(hash: number): boolean {
  return tokens[hash & (SLOTS - 1)] !== 0;
}

/** The token of the word in that place of the text; `hash` is its own. */
export function tokenOf(hash: number, text: string, start: number, stop: number): number {
  for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
    const token = tokens[slot] as number;
    if (token === 0) return WORD;
    // Hashes can collide, and a user's function that passed for a built-in one could hide a write.
    if (hashes[slot] === hash && spells(token - WORD, text, start, stop)) return token;
  }
}

function learnt(text: string): number {
  const hash = hashOf(text);
  const known = tokenOf(hash, text, 0, text.length);
  if (known !== WORD) return known;
  const start = starts[wordCount]!;
  if (wordCount === MAX_WORDS || start + text.length > MAX_LETTERS)
    throw new Error(`bug: no room for the word ${text}`);
  let slot = hash & (SLOTS - 1);
  while (tokens[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
  const token = WORD + wordCount;
  for (let i = 0; i < text.length; i += 1) letters[start + i] = text.charCodeAt(i);
  wordCount += 1;
  starts[wordCount] = start + text.length;
  hashes[slot] = hash;
  tokens[slot] = token;
  return token;
}

function spells(word: number, text: string, start: number, stop: number): boolean {
  const first = starts[word]!;
  const length = stop - start;
  if (starts[word + 1]! - first !== length) return false;
  for (let i = 0; i < length; i += 1) {
    const c = text.charCodeAt(start + i);
    if ((c >= 65 && c <= 90 ? c + 32 : c) !== letters[first + i]) return false;
  }
  return true;
}

export const HASH_BASIS = 0x811c9dc5;
export const HASH_PRIME = 0x01000193;

/** FNV-1a over a word in lower case, as `Tokens` computes it on the way. */
export function hashOf(word: string): number {
  let hash = HASH_BASIS;
  for (let i = 0; i < word.length; i += 1) {
    const c = word.charCodeAt(i);
    hash = Math.imul(hash ^ (c >= 65 && c <= 90 ? c + 32 : c), HASH_PRIME);
  }
  return hash;
}

for (const [role, words] of roles) {
  for (const text of listed(words)) roleOf[learnt(text)] = role;
}
for (const [index, lead] of leads.entries()) {
  for (const text of listed(lead.words)) leadNumbers[learnt(text)] = index + 1;
}
learnCalls(pureCalls, Call.pure);
learnCalls(aggregateCalls, Call.aggregate);
learnCalls(effectCalls, Call.effect);
learnCalls(lockCalls, Call.sessionEffect);
learnCalls(syntaxBeforeParenthesis, Call.syntax);
learnCalls({ both: 'filter over', postgresql: '', mysql: 'against' }, Call.afterParenthesis);
learnCalls({ both: '', postgresql: 'cube rollup', mysql: '' }, Call.afterBy);
learnCalls({ both: '', postgresql: 'by', mysql: '' }, Call.afterGrouping);
learnCalls({ both: '', postgresql: '', mysql: 'any some' }, Call.afterOperator);
learnCalls({ both: '', postgresql: 'join', mysql: '' }, Call.inTargets);
learnCalls({ both: '', postgresql: '', mysql: 'last_insert_id' }, Call.lastInsertId);

function learnCalls(names: Names, call: Call): void {
  for (const text of listed(`${names.both} ${names.postgresql}`)) postgresqlCallOf[learnt(text)] = call;
  for (const text of listed(`${names.both} ${names.mysql}`)) mysqlCallOf[learnt(text)] = call;
}

function listed(words: string): string[] {
  return words.split(/\s+/).filter((text) => text !== '');
}
