import { readFileSync, writeFileSync } from 'node:fs';

/** How one row of the matrix went. */
export interface Outcome {
  readonly what: string;
  readonly holds: boolean;
  /** What does not hold; empty when all does. */
  readonly note: string;
  readonly unsupported: boolean;
  readonly node: string;
  readonly opentelemetry: string;
}

const BEGIN = '<!-- written by npm run test:versions: begin -->';
const END = '<!-- end -->';

/** Between its markers, so that the words around it can be written by hand. */
export function writeTable(file: string, outcomes: readonly Outcome[]): void {
  const text = readFileSync(file, 'utf8');
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`${file} lacks the markers of its table`);
  writeFileSync(file, `${before}${BEGIN}\n${tableOf(outcomes)}\n${END}${after}`);
}

function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(
    ({ what, node, opentelemetry, ...outcome }) =>
      `| ${what} | ${node} | ${opentelemetry} | ${verdict(outcome)} |`,
  );
  return ['| versions | Node | OpenTelemetry JS | |', '|---|---|---|---|', ...rows].join('\n');
}

function verdict({ holds, unsupported, note }: Pick<Outcome, 'holds' | 'unsupported' | 'note'>): string {
  if (!holds) return `does not hold: ${note.replaceAll('|', '/')}`;
  return unsupported ? 'unsupported: stays stock, with one warning' : 'holds';
}
