import { performance } from 'node:perf_hooks';
import { classify } from '../src/query/classify.js';

const JOIN =
  'SELECT u.id, u.name, o.total FROM users u JOIN orders o ON o.user_id = u.id WHERE u.tenant = $1 AND o.created_at > $2 ORDER BY o.id DESC LIMIT 50';
/** Until the optimising compiler has settled. */
const WARM_UP_CALLS = 200_000;
const MAX_WARM_UP_ROUNDS = 1000;

/** A figure of the classifier: the median of several rounds and their spread, in nanoseconds a text. */
export interface ClassifyRow {
  readonly name: string;
  readonly nanoseconds: number;
  readonly spread: readonly [number, number];
  readonly limit?: number;
}

/** What a text costs: never seen, seen as the same string, as a new string of equal content, and 1 MB long. */
export function run(rounds = 51): readonly ClassifyRow[] {
  const rows = [
    row(rounds, 'new text, 150 characters', 200, newTexts, 2000),
    row(rounds, 'same string again', 500_000, () => () => classify(JOIN, 'postgresql'), 60),
    row(rounds, 'freshly concatenated string', 50_000, concatenated),
    row(rounds, 'sqlcommenter tail that changes', 20_000, withTail),
    row(rounds, '1 MB of VALUES', 1, () => longText(rowsOfValues(1 << 20))),
    row(rounds, '1 MB string literal', 1, () => longText(`SELECT '${'x'.repeat(1 << 20)}'`)),
  ];
  for (const { name, nanoseconds, spread, limit } of rows) {
    const promised = limit === undefined ? '' : `   at most ${limit}`;
    console.log(
      `${name.padEnd(32)} ${nanoseconds.toFixed(1).padStart(12)} ns   ${spread[0].toFixed(1)} … ${spread[1].toFixed(1)}${promised}`,
    );
  }
  return rows;
}

function row(
  count: number,
  name: string,
  times: number,
  prepare: (times: number) => (i: number) => void,
  limit?: number,
): ClassifyRow {
  const rounds: number[] = [];
  const warmUps = times === 1 ? 20 : Math.min(MAX_WARM_UP_ROUNDS, Math.ceil(WARM_UP_CALLS / times));
  for (let round = -warmUps; round < count; round += 1) {
    const work = prepare(times);
    const begin = performance.now();
    for (let i = 0; i < times; i += 1) work(i);
    if (round >= 0) rounds.push(((performance.now() - begin) * 1e6) / times);
  }
  rounds.sort((a, b) => a - b);
  const figure = {
    name,
    nanoseconds: rounds[count >> 1] as number,
    spread: [rounds[0] as number, rounds.at(-1) as number] as const,
  };
  return limit === undefined ? figure : { ...figure, limit };
}

let serial = 0;

/** Built and flattened beforehand: the application pays for that with or without us. */
function newTexts(times: number): (i: number) => void {
  const texts = Array.from({ length: times }, () =>
    flat(JOIN.replace('u.tenant = $1', `u.tenant = ${100_000 + serial++}`)),
  );
  return (i) => classify(texts[i] as string, 'postgresql');
}

function concatenated(): (i: number) => void {
  const half = JOIN.length >> 1;
  const [left, right] = [JOIN.slice(0, half), JOIN.slice(half)];
  return () => classify(left + right, 'postgresql');
}

function withTail(): (i: number) => void {
  return () => {
    serial += 1;
    classify(
      `${JOIN} /*traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-${serial.toString(16).padStart(16, '0')}-01'*/`,
      'postgresql',
    );
  };
}

function longText(text: string): () => void {
  return () => classify(text, 'postgresql');
}

function rowsOfValues(length: number): string {
  const one = "(1, 'abc', now()), ";
  return `INSERT INTO t (a, b, c) VALUES ${one.repeat(Math.ceil(length / one.length))}(1, 'abc', now())`;
}

function flat(text: string): string {
  text.charCodeAt(0);
  return text;
}

if (require.main === module) run();
