import { Digest } from './digest.js';
import type { Lead, Verb } from './leads.js';
import { Summary } from './summary.js';
import { type Dialect, END, QUOTED, STRING, Tokens } from './tokens.js';
import { Call, FIRST_INERT, leadOf, mysqlCallOf, postgresqlCallOf, Role, roleOf, WORD } from './words.js';

/** Whether a statement only reads: `yes` is a promise, `unknown` is to be treated as a write. */
export type ReadOnly = 'yes' | 'no' | 'unknown';

/**
 * How many rows a statement seems to touch: one key's, some, or those of a join, an aggregate or a subquery. `none` for
 * statements that touch no rows.
 */
export type Shape = 'point' | 'range' | 'aggregate' | 'none';

/** What a query's text tells about it. None of it holds a literal. */
export interface Classification {
  /** The kind of the (first) statement. */
  readonly verb: Verb;
  /** `yes`: nothing written, locked, sent or set. `no`: something is. `unknown`: treat it as `no`. */
  readonly readOnly: ReadOnly;
  /** More than one statement in the text. */
  readonly multiStatement: boolean;
  /**
   * Leaves a setting, lock, prepared statement, temporary table or the like behind on its connection. Transactions
   * are told by `verb` instead, because their end makes the connection neutral again.
   */
  readonly sessionStateful: boolean;
  readonly shape: Shape;
  /** OpenTelemetry's `db.query.summary`; empty when the text is not understood. */
  readonly summary: string;
  /** The same for texts that differ only in literals, comments, white space, case of words and length of lists. */
  readonly fingerprint: string;
}

const OPEN = 40;
const CLOSE = 41;
const COMMA = 44;
const DOT = 46;
const SEMICOLON = 59;
const COLON = 58;
const LESS = 60;
const EQUALS = 61;
const GREATER = 62;
const AT = 64;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const DASH = 45;
const PLUS = 43;
const TILDE = 126;

/** Where a level of parentheses stands. */
const Clause = {
  none: 0,
  expectsTarget: 1,
  afterTarget: 2,
  filters: 3,
  expectsCte: 4,
  namedCte: 5,
  inCte: 6,
} as const;

/** Deeper levels share the last place: the summary loses precision there, safety does not depend on it. */
const MAX_LEVEL = 255;

/**
 * Reads a text in one pass and keeps nothing of it. The rule that makes `readOnly: 'yes'` safe needs hardly any
 * grammar: outside strings, quoted names and comments the text has no word that writes or locks (INSERT, UPDATE,
 * DELETE, MERGE, INTO, FOR SHARE), no function but listed ones, no second statement. The clauses are followed for the
 * summary and the shape, and to tell `JOIN (…)` or `x (a, b) AS` from a call.
 */
export class Reader {
  private readonly tokens = new Tokens();
  private readonly digest = new Digest();
  private readonly summary = new Summary();
  private mysql = false;

  private readonly clauses = new Uint8Array(MAX_LEVEL + 1);
  private readonly operations = new Uint8Array(MAX_LEVEL + 1);
  private depth = 0;
  private unbalanced = false;
  private cteNames: Set<string> | undefined;

  private lead: Lead | undefined;
  private mainLevel = 0;
  /** Whether operations and targets belong into the summary. */
  private told = false;
  private verb: Verb = 'unknown';
  private writes = false;
  private unsure = false;
  private stateful = false;
  private analyzes = false;
  private copiesOut = false;
  private inRoutine = false;

  private operationCount = 0;
  private aggregates = false;
  private joins = false;
  private certainJoin = false;
  /** Whether the last BY was GROUP BY. */
  private groups = false;
  private ranges = false;
  private equalities = 0;
  private rows = 0;
  private fromSeen = false;

  /** The token before the one at hand, and the one before that; `END` at the start of a statement. */
  private previous: number = END;
  private before: number = END;

  read(text: string, dialect: Dialect, backslashEscapes: boolean): Classification {
    const { tokens } = this;
    this.mysql = dialect === 'mysql';
    this.digest.reset();
    this.summary.reset();
    this.cteNames = undefined;
    this.unbalanced = false;
    this.inRoutine = false;
    this.forget();
    tokens.open(text, dialect, backslashEscapes);
    tokens.next();

    let statements = 0;
    let verb: Verb = 'unknown';
    let readOnly: ReadOnly = 'yes';
    let stateful = false;
    let shape: Shape = 'none';
    while (this.skipToStatement(statements > 0)) {
      statements += 1;
      this.statement();
      if (statements === 1) {
        verb = this.verb;
        shape = this.shape();
      }
      readOnly = worse(readOnly, this.verdict());
      stateful ||= this.stateful;
    }
    if (statements !== 1 || tokens.broken || tokens.conditional || this.unbalanced)
      readOnly = worse(readOnly, 'unknown');
    const classification: Classification = {
      verb,
      readOnly,
      multiStatement: statements > 1,
      sessionStateful: stateful,
      shape,
      summary: tokens.broken ? this.summary.firstOperation() : this.summary.toString(),
      fingerprint: this.digest.key(),
    };
    tokens.close();
    this.summary.reset();
    this.cteNames = undefined;
    return classification;
  }

  /** Whether the server would refuse the text last read: something in it never ends. */
  wasBroken(): boolean {
    return this.tokens.broken;
  }

  /** Whether the ends of strings in it depend on a setting of the server. */
  wasAmbiguous(): boolean {
    return this.tokens.ambiguous;
  }

  private skipToStatement(separated: boolean): boolean {
    const { tokens } = this;
    while (this.at(SEMICOLON)) tokens.next();
    if (tokens.token === END) return false;
    if (separated) {
      this.digest.add(SEMICOLON);
      this.forget();
    }
    return true;
  }

  private forget(): void {
    this.depth = 0;
    this.clauses[0] = Clause.none;
    this.operations[0] = Role.plain;
    this.lead = undefined;
    this.mainLevel = 0;
    this.told = false;
    this.verb = 'unknown';
    this.writes = false;
    this.unsure = false;
    this.analyzes = false;
    this.copiesOut = false;
    this.operationCount = 0;
    this.aggregates = false;
    this.joins = false;
    this.ranges = false;
    this.equalities = 0;
    this.rows = 0;
    this.fromSeen = false;
    this.previous = END;
    this.before = END;
  }

  private statement(): void {
    const { tokens } = this;
    while (this.at(OPEN)) {
      this.step();
      this.deeper();
    }
    this.mainLevel = this.level();
    this.lead = leadOf(tokens.token);
    if (this.lead === undefined) {
      this.stateful = true;
    } else {
      this.verb = this.lead.verb;
      this.stateful =
        this.lead.stateful === 'always' || this.lead.stateful === (this.mysql ? 'mysql' : 'postgresql');
      this.told = !this.inRoutine;
      if (this.told) this.summary.nextStatement();
      this.beginning(this.lead);
    }
    this.rest();
    if (this.depth !== 0) this.unbalanced = true;
    while (this.digest.listDepth >= 0) this.digest.closeList();
  }

  private beginning(lead: Lead): void {
    switch (lead.story) {
      case 'object':
        this.objectNames();
        break;
      case 'name':
        this.names(lead);
        break;
      case 'copy':
        this.copyTarget();
        return;
      case 'explain':
        this.operation();
        this.step();
        return;
      case 'bare':
        this.bare();
        break;
      default:
        return;
    }
    this.told = false;
  }

  private is(role: Role): boolean {
    return roleOf[this.tokens.token] === role;
  }

  private at(mark: number): boolean {
    return this.tokens.token === mark;
  }

  /** CREATE [OR REPLACE] [TEMP] [UNIQUE] TABLE [IF NOT EXISTS] a, ALTER …, DROP TABLE a, b. */
  private objectNames(): void {
    const { tokens } = this;
    let operation = tokens.slice();
    let found = false;
    this.step();
    for (; tokens.token >= WORD; this.step()) {
      const role = roleOf[tokens.token];
      if (role === Role.temporary) this.stateful = true;
      if (role === Role.on || role === Role.as || role === Role.to) break;
      if (role !== Role.ddlObject && role !== Role.table) continue;
      operation += ` ${tokens.slice()}`;
      this.step();
      found = true;
      break;
    }
    if (this.told) this.summary.operation(operation);
    if (found) this.listOfNames();
  }

  private names({ verb }: Lead): void {
    this.operation();
    this.step();
    if (this.is(Role.table) && verb !== 'select') this.step();
    this.listOfNames();
  }

  private copyTarget(): void {
    this.operation();
    this.step();
    this.listOfNames();
    if (!this.at(OPEN)) return;
    // Columns, not the arguments of a call.
    this.step();
    this.deeper();
  }

  private listOfNames(): void {
    const { tokens } = this;
    for (;;) {
      while (this.is(Role.skipped) || this.is(Role.not)) this.step();
      if (!named(tokens.token) || this.is(Role.on)) return;
      if (this.is(Role.temporary)) this.stateful = true;
      this.target();
      if (!this.at(COMMA)) return;
      this.step();
    }
  }

  private bare(): void {
    const { tokens } = this;
    const first = roleOf[tokens.token];
    let operation = tokens.slice();
    this.step();
    if (first === Role.start && tokens.token >= WORD) {
      if (this.is(Role.transaction)) operation += ` ${tokens.slice()}`;
      else this.becomes('util');
    }
    if (first === Role.set && !this.mysql && (this.is(Role.local) || this.is(Role.transaction)))
      this.stateful = false;
    if (first === Role.rollback && this.rollsBackToSavepoint()) this.verb = 'savepoint';
    if (first === Role.prepare && this.is(Role.transaction)) {
      this.verb = 'txEnd';
      this.stateful = false;
    }
    if (this.told) this.summary.operation(operation);
  }

  private becomes(verb: Verb): void {
    this.verb = verb;
    this.writes = true;
    this.stateful = true;
  }

  /** ROLLBACK [WORK | TRANSACTION] TO … */
  private rollsBackToSavepoint(): boolean {
    const { tokens } = this;
    while (tokens.token >= WORD) {
      if (this.is(Role.to)) return true;
      this.step();
    }
    return false;
  }

  /** Everything up to the end of the statement, clause by clause. */
  private rest(): void {
    const { tokens } = this;
    for (;;) {
      const { token } = tokens;
      if (token === WORD) {
        this.name();
      } else if (token > WORD) {
        if (this.previous === DOT && qualifies(this.before)) this.name();
        else this.knownWord(token);
      } else if (token === END || token === SEMICOLON) {
        return;
      } else if (token < END) {
        this.mark(token);
      } else if (token === QUOTED) {
        this.name();
      } else {
        this.step();
      }
    }
  }

  private level(): number {
    return Math.min(this.depth, MAX_LEVEL);
  }

  private knownWord(token: number): void {
    const role = roleOf[token] as Role;
    const level = this.level();
    if (this.digest.rowsDepth === this.depth && role !== Role.row) this.digest.closeList();
    if (role >= FIRST_INERT) return this.name();
    // The commonest come first: V8 tries the cases one after another.
    switch (role) {
      case Role.plain:
        if (leadOf(token) !== undefined && this.wraps(level)) this.unsure = true;
        return this.name();
      case Role.select:
        this.begins(level, Role.select, 'select');
        break;
      case Role.from:
        this.fromBegins(level);
        break;
      case Role.where:
        this.clauses[level] = Clause.filters;
        break;
      case Role.on:
      case Role.as:
      case Role.skipped:
        break;
      case Role.by:
        this.groups = this.follows(Role.aggregates);
        break;
      case Role.set:
      case Role.for:
      case Role.order:
      case Role.endsTargets:
        this.clauses[level] = Clause.none;
        break;
      case Role.join:
        if (this.clauses[level] !== Clause.afterTarget) return this.name();
        this.joinBegins(level);
        break;
      case Role.ranges:
      case Role.inList:
      case Role.or:
        this.ranges = true;
        break;
      case Role.aggregates:
        this.clauses[level] = Clause.none;
        this.aggregates = true;
        break;
      case Role.distinct:
        if (this.follows(Role.select)) this.aggregates = true;
        break;
      case Role.values:
        return this.valuesBegin(level);
      case Role.into:
        this.writes = true;
        break;
      case Role.insert:
        return this.writeWord(level, Role.insert, 'insert');
      case Role.change:
        return this.writeWord(level, Role.change, 'update');
      case Role.delete:
        return this.writeWord(level, Role.delete, 'delete');
      case Role.merge:
        return this.writeWord(level, Role.merge, 'merge');
      case Role.replace:
        // REPLACE(…) is a function; REPLACE INTO can only come first, or under EXPLAIN.
        if (this.previous !== END && !this.wraps(0)) return this.name();
        return this.writeWord(level, Role.insert, 'insert');
      case Role.with:
        this.withBegins(level);
        break;
      case Role.using:
        this.usingBegins(level);
        break;
      case Role.combines:
        this.clauses[level] = Clause.none;
        this.operations[level] = Role.plain;
        this.aggregates = true;
        break;
      case Role.share:
        // FOR SHARE, FOR KEY SHARE, LOCK IN SHARE MODE
        if (this.follows(Role.for) || this.follows(Role.key) || this.follows(Role.inList)) this.writes = true;
        return this.name();
      case Role.value:
        // MariaDB calls a sequence without parentheses: NEXT VALUE FOR s.
        if (this.mysql && this.follows(Role.next)) this.writes = true;
        if (this.mysql && this.follows(Role.previous)) this.unsure = true;
        return this.name();
      case Role.analyze:
        if (this.wraps(0)) this.analyzes = true;
        break;
      case Role.temporary:
        if (this.follows(Role.into) || this.follows(Role.local)) this.stateful = true;
        return this.name();
      case Role.stdout:
        if (this.follows(Role.to) && this.depth === 0) this.copiesOut = true;
        break;
      case Role.begin:
        // The statements of a routine's body are not the caller's.
        if (this.verb === 'ddl') this.inRoutine = true;
        break;
      default:
        return this.name();
    }
    this.step();
  }

  /** Whether EXPLAIN's own options are being read, and the statement that it explains is still to come. */
  private wraps(level: number): boolean {
    return (
      this.verb === 'explain' && this.operations[level] === Role.plain && this.operations[0] === Role.plain
    );
  }

  private fromBegins(level: number): void {
    // EXTRACT(year FROM x), a IS DISTINCT FROM b
    if (this.operations[level] === Role.plain || this.follows(Role.distinct)) return;
    this.clauses[level] = Clause.expectsTarget;
    this.fromSeen = true;
  }

  private joinBegins(level: number): void {
    this.certainJoin = this.certainlyJoins();
    this.clauses[level] = Clause.expectsTarget;
    this.joins = true;
  }

  /** Whether JOIN joins, and is not a function of that name, which PostgreSQL allows. */
  private certainlyJoins(): boolean {
    return this.previous > WORD ? this.follows(Role.joins) : isOperand(this.previous);
  }

  private begins(level: number, role: Role, verb: Verb): void {
    this.operation();
    if (level === this.mainLevel && this.verb === 'unknown') this.verb = verb;
    this.operations[level] = role;
    this.clauses[level] = Clause.none;
  }

  private writeWord(level: number, role: Role, verb: Verb): void {
    // INSERT(str, pos, len, new) is a function of MySQL's, and no statement goes on with a parenthesis there.
    if (role === Role.insert && this.mysql && this.tokens.precedes(OPEN)) return this.name();
    this.writes = true;
    const begins = this.operations[level] === Role.plain;
    if (begins) {
      this.begins(level, role, verb);
      this.clauses[level] = Clause.expectsTarget;
    }
    this.step();
  }

  /** Rows of VALUES are a list. MySQL's VALUES(column) is a function that stands after an operator. */
  private valuesBegin(level: number): void {
    if (this.previous < END && this.previous !== OPEN && this.previous !== CLOSE) return this.name();
    if (this.operationCount === 0 && this.lead?.verb === 'select') {
      this.operation();
      this.operations[level] = Role.values;
    }
    this.clauses[level] = Clause.none;
    this.step();
    if (!this.at(OPEN) && !this.is(Role.row)) return;
    this.digest.openList(this.depth, true);
    this.rows = 1;
  }

  private withBegins(level: number): void {
    // Not WITH ORDINALITY, WITH TIES, WITH TIME ZONE, which end something.
    const leads = this.previous === END || this.previous === OPEN || this.wraps(0);
    if (!leads && this.operations[level] !== Role.insert) return;
    this.clauses[level] = Clause.expectsCte;
    this.cteNames ??= new Set();
    this.aggregates = true;
  }

  /** DELETE … USING a table. Only the first time: in JOIN … USING (id) columns follow. */
  private usingBegins(level: number): void {
    const operation = this.operations[level];
    if (this.joins || (operation !== Role.delete && operation !== Role.merge)) return;
    this.clauses[level] = Clause.expectsTarget;
    this.joins = true;
  }

  /** A name, or a word that is one here: a table, a CTE, a column, an alias. */
  private name(): void {
    const level = this.level();
    const clause = this.clauses[level];
    if (clause === Clause.expectsTarget) {
      this.clauses[level] = Clause.afterTarget;
      this.target();
    } else {
      if (clause === Clause.expectsCte) this.nameCte(level);
      this.step();
    }
  }

  private nameCte(level: number): void {
    this.clauses[level] = Clause.namedCte;
    this.cteNames!.add(unquoted(this.tokens.slice()));
  }

  private operation(): void {
    this.operationCount += 1;
    if (this.told) this.summary.operation(this.tokens.slice());
  }

  /** A possibly qualified name. Part by part, because a comment between the parts is not a part of it. */
  private target(): void {
    const { tokens } = this;
    const wanted = this.told && !this.summary.isFull();
    let name = wanted ? tokens.slice() : '';
    this.step();
    while (this.at(DOT)) {
      this.step();
      if (!named(tokens.token)) break;
      if (wanted) name += `.${tokens.slice()}`;
      this.step();
    }
    if (wanted && this.cteNames?.has(unquoted(name)) !== true) this.summary.target(name);
  }

  private mark(mark: number): void {
    switch (mark) {
      case DOT:
        break;
      case COMMA:
        return this.comma();
      case OPEN:
        return this.opens();
      case CLOSE:
        return this.closes();
      case OPEN_BRACKET:
        this.step();
        this.deeper();
        this.digest.openList(this.depth, false);
        return;
      case CLOSE_BRACKET:
        return this.closes();
      case EQUALS:
        this.equals();
        break;
      case LESS:
      case GREATER:
        // `->` and `->>` reach into JSON; what else ends in a second `>` has been told by the first.
        if (this.previous !== DASH && this.previous !== GREATER) this.ranges = true;
        break;
      case TILDE:
        this.ranges = true;
        break;
      case AT:
        if (this.mysql) return this.variable();
        break;
      default:
        break;
    }
    this.step();
  }

  private opens(): void {
    const level = this.level();
    const clause = this.clauses[level];
    const isTarget = clause === Clause.expectsTarget;
    const isList = this.follows(Role.inList);
    if (clause === Clause.namedCte) this.clauses[level] = Clause.inCte;
    else if (clause !== Clause.inCte || roleOf[this.before] !== Role.not) this.call();
    if (isTarget) this.clauses[level] = Clause.afterTarget;
    const lastInsertId = this.mysql && mysqlCallOf[this.previous] === Call.lastInsertId;
    this.step();
    if (lastInsertId) this.lastInsertId();
    this.deeper();
    if (isTarget) this.clauses[this.level()] = Clause.expectsTarget;
    if (isList) this.digest.openList(this.depth, false);
  }

  private deeper(): void {
    this.depth += 1;
    const level = this.level();
    this.clauses[level] = Clause.none;
    this.operations[level] = Role.plain;
  }

  private closes(): void {
    if (this.depth === 0) this.unbalanced = true;
    else this.depth -= 1;
    // With these parentheses ends their list, and a list of rows that was opened inside them.
    while (this.digest.listDepth > this.depth) this.digest.closeList();
    this.step();
  }

  private comma(): void {
    const level = this.level();
    const clause = this.clauses[level];
    if (clause === Clause.afterTarget) {
      this.clauses[level] = Clause.expectsTarget;
      this.joins = true;
    } else if (clause === Clause.inCte) {
      this.clauses[level] = Clause.expectsCte;
    }
    if (this.digest.listDepth !== this.depth) return this.step();
    if (this.digest.rowsDepth === this.depth) this.rows += 1;
    this.digest.endElement();
    this.skip();
  }

  private equals(): void {
    const compound =
      this.previous < END &&
      this.previous !== CLOSE &&
      this.previous !== CLOSE_BRACKET &&
      this.tokens.isAdjacent();
    if (compound && this.previous === COLON && this.mysql) {
      // SELECT @a := 1 sets a variable of the session.
      this.writes = true;
      this.stateful = true;
    } else if (!compound && this.clauses[this.level()] === Clause.filters) {
      this.equalities += 1;
    }
  }

  /** `@name`, `@@name`: what stands right behind the sign is a name, whatever it spells. */
  private variable(): void {
    if (this.follows(Role.into)) this.stateful = true;
    this.step();
    if (this.tokens.token >= WORD && this.tokens.isAdjacent()) this.step();
  }

  /** Whether the word before a parenthesis is a function, and what it does. */
  private call(): void {
    const { previous, before } = this;
    // A statement does not begin with a call (EXPLAIN (…), COPY (…)), and AS is followed by an alias.
    if ((previous < WORD && previous !== QUOTED) || before === END || roleOf[before] === Role.as) return;
    if (before === DOT) {
      this.unsure = true;
      return;
    }
    switch (this.mysql ? mysqlCallOf[previous] : postgresqlCallOf[previous]) {
      case Call.syntax:
        return;
      case Call.aggregate:
        this.aggregates = true;
        break;
      case Call.pure:
      case Call.lastInsertId:
        break;
      case Call.sessionEffect:
        this.writes = true;
        this.stateful = true;
        break;
      case Call.effect:
        this.writes = true;
        break;
      case Call.afterParenthesis:
        if (before !== CLOSE) this.unsure = true;
        return;
      case Call.afterOperator:
        if (before >= END || before === OPEN || before === COMMA) this.unsure = true;
        return;
      case Call.afterBy:
        if (roleOf[before] !== Role.by || !this.groups) this.unsure = true;
        return;
      case Call.afterGrouping:
        if (roleOf[before] !== Role.order && roleOf[before] !== Role.aggregates) this.unsure = true;
        return;
      case Call.inTargets:
        if (this.clauses[this.level()] !== Clause.expectsTarget || !this.certainJoin) this.unsure = true;
        return;
      default:
        this.unsure = true;
    }
    // With a gap MySQL calls a stored function of that name, even where a built-in one exists.
    if (this.mysql && !this.tokens.isAdjacent()) this.unsure = true;
  }

  private lastInsertId(): void {
    if (this.at(CLOSE)) {
      this.unsure = true;
      return;
    }
    this.writes = true;
    this.stateful = true;
  }

  private follows(role: Role): boolean {
    return roleOf[this.previous] === role;
  }

  /** Takes the token into the fingerprint and moves on. Strings in a row are one literal. */
  private step(): void {
    const { tokens, previous } = this;
    if (tokens.token !== STRING || previous !== STRING) this.digest.add(tokens.hash);
    this.before = previous;
    this.previous = tokens.token;
    tokens.next();
    if (tokens.token === DASH || tokens.token === PLUS) this.skipSigns();
  }

  /** Moves on without a trace in the fingerprint. */
  private skip(): void {
    this.before = this.previous;
    this.previous = this.tokens.token;
    this.tokens.next();
    this.skipSigns();
  }

  /** The sign of a literal is a part of it. */
  private skipSigns(): void {
    const { tokens } = this;
    if (isOperand(this.previous)) return;
    while (tokens.token === DASH || tokens.token === PLUS) tokens.next();
  }

  private verdict(): ReadOnly {
    const { lead } = this;
    if (lead === undefined) return this.writes ? 'no' : 'unknown';
    if (lead.story === 'copy') return this.copied();
    if (lead.story === 'explain') return this.explained();
    if (this.writes || lead.readOnly === 'no') return 'no';
    if (this.unsure || this.verb === 'unknown') return 'unknown';
    return lead.readOnly;
  }

  /** Without ANALYZE nothing is run, though MySQL may run a subquery to plan the rest. */
  private explained(): ReadOnly {
    if (this.writes && this.analyzes) return 'no';
    return this.writes || this.unsure ? 'unknown' : 'yes';
  }

  private copied(): ReadOnly {
    if (this.writes || !this.copiesOut) return 'no';
    return this.unsure ? 'unknown' : 'yes';
  }

  private shape(): Shape {
    switch (this.verb) {
      case 'insert':
        if (this.operationCount === 1) return this.rows > 1 ? 'range' : 'point';
        return this.joins || this.aggregates ? 'aggregate' : 'range';
      case 'select':
      case 'update':
      case 'delete':
        if (this.joins || this.aggregates || this.operationCount > 1) return 'aggregate';
        if (this.verb === 'select' && !this.fromSeen) return this.lead?.story === 'name' ? 'range' : 'point';
        return this.equalities > 0 && !this.ranges ? 'point' : 'range';
      case 'merge':
        return 'aggregate';
      case 'copy':
        return 'range';
      default:
        return 'none';
    }
  }
}

function named(token: number): boolean {
  return token >= WORD || token === QUOTED;
}

/** What a dot behind it makes the next word a name: `t.update` is no keyword, `1 .update` is no SQL. */
function qualifies(token: number): boolean {
  return named(token) || token === CLOSE || token === CLOSE_BRACKET;
}

/** Whether a sign that follows is an operator. */
function isOperand(token: number): boolean {
  return (token > END && token <= WORD) || token === CLOSE || token === CLOSE_BRACKET;
}

function unquoted(name: string): string {
  const first = name.charCodeAt(0);
  return first === 34 || first === 96 ? name.slice(1, -1) : name.toLowerCase();
}

export function worse(one: ReadOnly, other: ReadOnly): ReadOnly {
  if (one === 'no' || other === 'no') return 'no';
  return one === 'unknown' || other === 'unknown' ? 'unknown' : 'yes';
}
