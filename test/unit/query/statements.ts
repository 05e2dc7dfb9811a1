/**
 * Random PostgreSQL from three seeds: one decides the structure, one the literals and the lengths of lists, one the
 * comments, white space and case. Two texts of one structure are the same query.
 */

/** In every literal and every comment, and nowhere else. */
export const CANARY = 'canary';
/** In every number. */
export const NUMBER_CANARY = '987';

type Random = () => number;

function mulberry32(seed: number): Random {
  let a = seed | 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export class Statements {
  private readonly structure: Random;
  private readonly literals: Random;
  private readonly noise: Random;
  private depth = 0;

  constructor(structure: number, literals: number, noise: number) {
    this.structure = mulberry32(structure);
    this.literals = mulberry32(literals ^ 0x5bd1e995);
    this.noise = mulberry32(noise ^ 0x1b873593);
  }

  /** One text: mostly one statement, sometimes two, sometimes wrapped. */
  text(): string {
    const first = this.spaced(this.statement());
    if (this.chance(0.07)) return `${first};${this.gap()}${this.spaced(this.statement())}`;
    return this.chance(0.1) ? `${first};` : first;
  }

  private statement(): string[] {
    const read = () => this.select();
    const wrap = (...words: string[]) => [...words, ...this.pick([read, () => this.write()])()];
    return this.weighted<() => string[]>([
      [10, read],
      [5, () => this.withCtes()],
      [4, () => this.write()],
      [1, () => ['(', ...read(), ')', 'UNION', 'ALL', '(', ...read(), ')']],
      [1, () => wrap('EXPLAIN')],
      [1, () => wrap('EXPLAIN', 'ANALYZE')],
      [1, () => wrap('EXPLAIN', '(', 'ANALYZE', ',', 'VERBOSE', ')')],
      [1, () => ['VALUES', ...this.rows()]],
      [1, () => ['TABLE', this.table(), ...(this.chance(0.3) ? ['FOR', 'UPDATE'] : [])]],
      [1, () => ['COPY', '(', ...this.pick([read, () => this.write()])(), ')', 'TO', 'STDOUT']],
      [1, () => ['CREATE', 'TEMP', 'TABLE', 'made', 'AS', ...read()]],
      [1, () => ['PREPARE', 'p', 'AS', ...read()]],
      [1, () => ['DECLARE', 'c', 'CURSOR', 'FOR', ...read()]],
      [
        1,
        () => [
          this.pick([
            'BEGIN',
            'COMMIT',
            'ROLLBACK',
            'SHOW work_mem',
            'SET work_mem = 987',
            'LISTEN jobs',
            'TRUNCATE t1',
            'CALL work(987)',
          ]),
        ],
      ],
    ])();
  }

  private withCtes(): string[] {
    const words = this.chance(0.2) ? ['WITH', 'RECURSIVE'] : ['WITH'];
    const count = 1 + this.below(2);
    for (let i = 0; i < count; i += 1) {
      if (i > 0) words.push(',');
      words.push(`cte${i}`, ...(this.chance(0.2) ? ['(', 'a', ',', 'b', ')'] : []), 'AS');
      if (this.chance(0.3)) words.push(...this.pick([['MATERIALIZED'], ['NOT', 'MATERIALIZED']]));
      words.push('(', ...(this.chance(0.3) ? [...this.write(), 'RETURNING', '*'] : this.select()), ')');
    }
    return [...words, ...(this.chance(0.85) ? this.select() : this.write())];
  }

  private write(): string[] {
    return this.pick([
      () => ['INSERT', 'INTO', this.table(), '(', 'a', ',', 'b', ')', 'VALUES', ...this.rows()],
      () => ['INSERT', 'INTO', this.table(), ...this.select()],
      () => ['UPDATE', this.table(), 'SET', 'a', '=', ...this.expression(), ...this.where()],
      () => ['DELETE', 'FROM', this.table(), ...this.where()],
      () => [
        'MERGE',
        'INTO',
        't1',
        'USING',
        't2',
        'ON',
        't1.id = t2.id',
        'WHEN',
        'MATCHED',
        'THEN',
        'DELETE',
      ],
    ])();
  }

  private select(): string[] {
    this.depth += 1;
    const words = ['SELECT'];
    if (this.chance(0.1)) words.push('DISTINCT');
    words.push(...this.expression());
    if (this.chance(0.4)) words.push('AS', this.pick(['x', '"update"', '"into"', 'total', 'key']));
    if (this.chance(0.3)) words.push(',', ...this.expression());
    if (this.chance(0.04)) words.push('INTO', this.pick(['made', 'TEMP made', 'TABLE made']));
    if (this.chance(0.9)) words.push('FROM', ...this.source(), ...this.joins());
    words.push(...this.where());
    if (this.chance(0.1)) words.push('GROUP', 'BY', this.pick(['a', '(a, b)', 'CUBE (a, b)']));
    if (this.chance(0.1)) words.push('ORDER', 'BY', ...this.expression());
    if (this.chance(0.2)) words.push('LIMIT', this.number());
    if (this.chance(0.08))
      words.push(
        ...this.pick([
          ['FOR', 'UPDATE'],
          ['FOR', 'SHARE'],
          ['FOR', 'NO', 'KEY', 'UPDATE'],
          ['FOR', 'KEY', 'SHARE', 'OF', 't1'],
        ]),
      );
    else if (this.depth < 3 && this.chance(0.1))
      words.push(this.pick(['UNION', 'EXCEPT', 'INTERSECT']), ...this.select());
    this.depth -= 1;
    return words;
  }

  private source(): string[] {
    if (this.depth < 3 && this.chance(0.15)) return ['(', ...this.select(), ')', 'AS', 'sub'];
    if (this.chance(0.1))
      return [
        this.pick([
          'generate_series(987, 98765)',
          'unnest(ARRAY[987, 9876])',
          'do_work(987)',
          'nextval($$canary$$)',
          '(unnest(ARRAY[987]) WITH ORDINALITY CROSS JOIN do_work(987))',
          '(unnest(ARRAY[987]) WITH ORDINALITY AS w CROSS JOIN t2)',
        ]),
      ];
    return this.chance(0.3) ? [this.table(), this.pick(['u', 'AS u', '"into"'])] : [this.table()];
  }

  private joins(): string[] {
    if (!this.chance(0.3)) return [];
    if (this.chance(0.3)) return [',', ...this.source()];
    return [this.pick(['JOIN', 'LEFT JOIN', 'CROSS JOIN']), ...this.source()].concat(
      this.chance(0.5) ? ['ON', ...this.condition()] : [],
    );
  }

  private where(): string[] {
    return this.chance(0.7) ? ['WHERE', ...this.condition()] : [];
  }

  private condition(): string[] {
    const one = () =>
      this.weighted<() => string[]>([
        [4, () => [this.column(), '=', ...this.expression()]],
        [2, () => [this.column(), 'IN', '(', ...this.list(), ')']],
        [1, () => [this.column(), 'BETWEEN', this.number(), 'AND', this.number()]],
        [1, () => [this.column(), 'IS', 'NOT', 'NULL']],
        [1, () => [this.column(), 'LIKE', this.string()]],
        [1, () => (this.depth < 3 ? ['EXISTS', '(', ...this.select(), ')'] : ['TRUE'])],
        [1, () => (this.depth < 3 ? [this.column(), 'IN', '(', ...this.select(), ')'] : ['TRUE'])],
      ])();
    return this.chance(0.3) ? [...one(), this.pick(['AND', 'OR']), ...one()] : one();
  }

  private expression(): string[] {
    return this.weighted<() => string[]>([
      [5, () => [this.column()]],
      [4, () => [this.literal()]],
      [1, () => ['count(*)']],
      [1, () => ['coalesce', '(', this.column(), ',', this.literal(), ')']],
      [
        1,
        () => ['lower', '(', 'replace', '(', this.column(), ',', this.string(), ',', this.string(), ')', ')'],
      ],
      [1, () => [this.pick(['lower', 'upper', 'length']), '(', this.column(), ')']],
      [1, () => [this.column(), '::', 'text']],
      [1, () => ['-', this.column()]],
      [1, () => ['count(*)', 'FILTER', '(', 'WHERE', ...this.condition(), ')']],
      [
        1,
        () => [
          this.pick(['do_work', 'public.lower', '"count"', 'filter', 'cube', 'join', 'by_hand']),
          '(',
          this.column(),
          ')',
        ],
      ],
      [
        1,
        () => [
          this.pick(['nextval', 'pg_notify', 'set_config', 'pg_advisory_lock']),
          '(',
          this.string(),
          ')',
        ],
      ],
      [
        1,
        () => [
          'CASE',
          'WHEN',
          this.column(),
          '=',
          this.literal(),
          'THEN',
          this.literal(),
          'ELSE',
          this.literal(),
          'END',
        ],
      ],
      [1, () => ['extract', '(', 'year', 'FROM', this.column(), ')']],
      [1, () => (this.depth < 3 ? ['(', ...this.select(), ')'] : [this.literal()])],
    ])();
  }

  private rows(): string[] {
    const words: string[] = [];
    const count = 1 + Math.floor(this.literals() * 4);
    for (let i = 0; i < count; i += 1)
      words.push(...(i > 0 ? [','] : []), '(', this.literal(), ',', this.literal(), ')');
    return words;
  }

  private list(): string[] {
    const words = [this.literal()];
    const more = Math.floor(this.literals() * 4);
    for (let i = 0; i < more; i += 1) words.push(',', this.literal());
    return words;
  }

  private column(): string {
    return this.pick(['id', 'a', 'b', 't1.id', '"Quoted"', 'u.update', 'u."from"', 'created_at', 'r2d2']);
  }

  private table(): string {
    return this.pick(['t1', 't2', 'public.t3', '"T4"', '"delete"', 'users', '"a;b"', `"it's"`]);
  }

  private literal(): string {
    return this.literals() < 0.5 ? this.string() : this.number();
  }

  private number(): string {
    const suffix = Math.floor(this.literals() * 1000);
    return this.pickLiteral([
      `${NUMBER_CANARY}${suffix}`,
      `-${NUMBER_CANARY}${suffix}`,
      `${NUMBER_CANARY}.5e3`,
      `0x${NUMBER_CANARY}`,
      '$1',
      'NULL',
    ]);
  }

  private string(): string {
    return this.pickLiteral([
      `'${CANARY}'`,
      `'${CANARY}''s'`,
      `'; DELETE FROM t1; -- ${CANARY}'`,
      `'${CANARY} /* '`,
      `E'${CANARY}\\' FOR UPDATE'`,
      `e'\\\\'`,
      `$$ ${CANARY} ' FOR UPDATE $$`,
      `$tag$ ${CANARY} $$ ; $ta$ $tag$`,
      `B'1001'`,
      `''`,
      `'${CANARY}\n-- FOR UPDATE\n'`,
    ]);
  }

  private spaced(words: string[]): string {
    return words.map((word) => this.cased(word)).reduce((text, word) => `${text}${this.gap()}${word}`);
  }

  /** Keywords are what the generator wrote in capitals. */
  private cased(word: string): string {
    return /^[A-Z]+$/.test(word) && this.noise() < 0.3 ? word.toLowerCase() : word;
  }

  private gap(): string {
    const at = this.noise();
    if (at < 0.8) return ' ';
    if (at < 0.85) return '\n\t ';
    if (at < 0.9) return ` /* ${CANARY} ' " $$ ; */ `;
    if (at < 0.95) return ` -- ${CANARY} ' FOR UPDATE\n`;
    return ` /* ${CANARY} /* nested ' */ " */`.concat(' ');
  }

  private chance(p: number): boolean {
    return this.structure() < p;
  }

  private below(n: number): number {
    return Math.floor(this.structure() * n);
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  private pickLiteral(from: readonly string[]): string {
    return from[Math.floor(this.literals() * from.length)] as string;
  }

  private weighted<T>(from: readonly (readonly [number, T])[]): T {
    let left = this.structure() * from.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of from) {
      left -= weight;
      if (left < 0) return value;
    }
    return (from.at(-1) as readonly [number, T])[1];
  }
}
