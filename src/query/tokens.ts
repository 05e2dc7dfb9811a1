import { LITERAL } from './digest.js';
import { HASH_BASIS, HASH_PRIME, hashOf, mayKnow, Role, roleOf, tokenOf, WORD } from './words.js';

/** The SQL grammars that can be read. */
export type Dialect = 'postgresql' | 'mysql';

// A token is one number. Below 128 it is a mark, the character itself; from `WORD` on it is a word.
export const END = 128;
export const QUOTED = 129;
const NUMBER = 130;
const PARAMETER = 131;
export const STRING = 132;
/** E'…', told apart because a string that follows it has backslash escapes too. */
const ESCAPE_STRING = 133;

const NUL = 0;
const NEWLINE = 10;
const BANG = 33;
const DOUBLE_QUOTE = 34;
const HASH = 35;
const DOLLAR = 36;
const QUOTE = 39;
const STAR = 42;
const DASH = 45;
const DOT = 46;
const SLASH = 47;
const COLON = 58;
const QUESTION = 63;
const BACKSLASH = 92;
const BACKTICK = 96;

const SPACE = 1;
const LETTER = 2;
const DIGIT = 3;
const OPENS = 4;

/** What a character may start. Everything else is a mark of its own. */
const STARTS = new Uint8Array(128);
/** Characters that continue a word, letters in lower case; 0 for all others. Both dialects allow `$`. */
const CONTINUES = new Uint8Array(128);
for (let c = 0; c < 128; c += 1) {
  const letter = (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 95;
  const digit = c >= 48 && c <= 57;
  STARTS[c] = letter ? LETTER : digit ? DIGIT : c === 32 || (c >= 9 && c <= 13) ? SPACE : 0;
  CONTINUES[c] = letter || digit || c === DOLLAR ? (c >= 65 && c <= 90 ? c + 32 : c) : 0;
}
for (const c of [NUL, DOUBLE_QUOTE, HASH, DOLLAR, QUOTE, STAR, DASH, DOT, SLASH, COLON, QUESTION, BACKTICK]) {
  STARTS[c] = OPENS;
}

/**
 * Cuts SQL into tokens, one at a time and without copying: `next()` overwrites the fields. Comments and white space
 * vanish. It reads like the server's own scanner, because a quote or a comment that it ended elsewhere could hide a write.
 */
export class Tokens {
  token: number = END;
  start = 0;
  /** For the fingerprint: the same for all literals; of a word without regard to case. */
  hash = 0;
  /** Text that the server would refuse: something never ends. */
  broken = false;
  /** A backslash before a quote: where the string ends depends on a setting of the server. */
  ambiguous = false;
  /** What the text says depends on the server: MySQL runs the inside of some comments in some versions. */
  conditional = false;

  private text = '';
  private end = 0;
  /** Behind the token. */
  private at = 0;
  private mysql = false;
  private escapes = false;
  private openConditions = 0;

  open(text: string, dialect: Dialect, backslashEscapes: boolean): void {
    this.text = text;
    this.end = text.length;
    this.at = 0;
    this.mysql = dialect === 'mysql';
    this.escapes = backslashEscapes;
    this.token = END;
    this.start = 0;
    this.broken = false;
    this.ambiguous = false;
    this.conditional = false;
    this.openConditions = 0;
  }

  /** Lets go of the text, so that nothing of it outlives the reading. */
  close(): void {
    this.text = '';
  }

  slice(): string {
    return this.text.slice(this.start, this.at);
  }

  /** Whether nothing stands between this token and the last: no white space and no comment. */
  isAdjacent(): boolean {
    const { text, start } = this;
    const before = start > 0 ? text.charCodeAt(start - 1) : NUL;
    return before > 32 && (before !== SLASH || text.charCodeAt(start - 2) !== STAR);
  }

  /** Whether the very next character is this one. */
  precedes(mark: number): boolean {
    return this.at < this.end && this.text.charCodeAt(this.at) === mark;
  }

  /** Words and marks, most of any text, are taken in place: a call for each would cost more than reading it. */
  next(): void {
    const { text, end } = this;
    let at = this.at;
    for (;;) {
      if (at >= end) return this.finish();
      let c = text.charCodeAt(at);
      const starts = c > 127 ? LETTER : STARTS[c];
      if (starts === LETTER) {
        this.start = at;
        let hash = HASH_BASIS;
        let letter = c > 127 ? this.foreign(c) : (CONTINUES[c] as number);
        do {
          hash = Math.imul(hash ^ letter, HASH_PRIME);
          at += 1;
          if (at >= end) break;
          c = text.charCodeAt(at);
          letter = c > 127 ? this.foreign(c) : (CONTINUES[c] as number);
        } while (letter !== 0);
        return this.takeWord(hash, at, c);
      }
      if (starts === SPACE) {
        at += 1;
        continue;
      }
      this.start = at;
      if (starts === 0 || (c === DOT && (at + 1 >= end || STARTS[text.charCodeAt(at + 1)] !== DIGIT))) {
        this.token = c;
        this.hash = c;
        this.at = at + 1;
        return;
      }
      this.at = at;
      if (starts === DIGIT) return this.takeNumber();
      if (this.opens(c, at)) return;
      at = this.at;
    }
  }

  /** In MySQL a no-break space parts two words or is a letter, depending on the connection's character set. */
  private foreign(c: number): number {
    if (this.mysql && (c === 0xa0 || c === 0x85)) this.conditional = true;
    return c;
  }

  private finish(): void {
    if (this.openConditions > 0) this.broken = true;
    this.token = END;
    this.start = this.end;
  }

  private takeMark(c: number): void {
    this.token = c;
    this.hash = c;
    this.at += 1;
  }

  private takeLiteral(token: number, stop: number): void {
    this.token = token;
    this.hash = LITERAL;
    this.at = stop;
  }

  private takeWord(hash: number, stop: number, following: number): void {
    this.at = stop;
    if (following === QUOTE && stop - this.start === 1 && this.takePrefixedString()) return;
    const token = mayKnow(hash) ? tokenOf(hash, this.text, this.start, stop) : WORD;
    this.token = token;
    this.hash = token !== WORD && roleOf[token] === Role.constant ? LITERAL : hash;
  }

  /** E'', B'', X'' and N'': the letter belongs to the literal, and E turns backslash escapes on. */
  private takePrefixedString(): boolean {
    const letter = this.text.charCodeAt(this.start) | 32;
    if (letter !== 101 && letter !== 98 && letter !== 120 && letter !== 110) return false;
    const escaped = letter === 101 && !this.mysql;
    this.takeString(QUOTE, escaped || this.escapes, !escaped);
    if (escaped) this.token = ESCAPE_STRING;
    return true;
  }

  /** 12, 1.5e-3, 0xFF, 1_000. What follows without a gap is a new token, so that no keyword hides in `1into`. */
  private takeNumber(): void {
    const { text, end } = this;
    let at = this.start;
    if (
      text.charCodeAt(at) === 48 &&
      at + 2 < end &&
      (text.charCodeAt(at + 1) | 32) === 120 &&
      hexDigit(text.charCodeAt(at + 2))
    ) {
      at += 3;
      while (at < end && hexDigit(text.charCodeAt(at))) at += 1;
    } else {
      at = this.digits(at);
      if (at < end && text.charCodeAt(at) === DOT) at = this.digits(at + 1);
      at = this.exponent(at);
    }
    this.takeLiteral(NUMBER, at);
  }

  /** Behind the digits, among which single underscores may stand. */
  private digits(from: number): number {
    const { text, end } = this;
    let at = from;
    while (at < end) {
      const c = text.charCodeAt(at);
      const parts = c === 95 && at > from && at + 1 < end && STARTS[text.charCodeAt(at + 1)] === DIGIT;
      if (!parts && STARTS[c] !== DIGIT) break;
      at += 1;
    }
    return at;
  }

  private exponent(from: number): number {
    const { text } = this;
    if (from + 1 >= this.end || (text.charCodeAt(from) | 32) !== 101) return from;
    const sign = text.charCodeAt(from + 1);
    const at = sign === DASH || sign === 43 ? from + 2 : from + 1;
    return at < this.end && STARTS[text.charCodeAt(at)] === DIGIT ? this.digits(at) : from;
  }

  /** A character that may open something longer. False when that was a comment, and the search for a token goes on. */
  private opens(c: number, at: number): boolean {
    const following = at + 1 < this.end ? this.text.charCodeAt(at + 1) : NUL;
    switch (c) {
      case QUOTE:
        // Only across a line break does PostgreSQL allow two strings in a row; the second keeps the first one's escapes.
        if (this.token === ESCAPE_STRING) {
          this.takeString(QUOTE, true, false);
          this.token = ESCAPE_STRING;
        } else {
          this.takeString(QUOTE, this.escapes, true);
        }
        return true;
      case DOUBLE_QUOTE:
        if (this.mysql) this.takeString(DOUBLE_QUOTE, this.escapes, true);
        else this.takeQuoted(DOUBLE_QUOTE);
        return true;
      case BACKTICK:
        if (this.mysql) this.takeQuoted(BACKTICK);
        else this.takeMark(c);
        return true;
      case DASH:
        if (following !== DASH || (this.mysql && !this.dashesComment(at + 2))) break;
        this.skipLine();
        return false;
      case HASH:
        if (!this.mysql) break;
        this.skipLine();
        return false;
      case SLASH:
        if (following !== STAR) break;
        this.skipBlock(at + 2);
        return false;
      case STAR:
        if (following !== SLASH || this.openConditions === 0) break;
        this.openConditions -= 1;
        this.at = at + 2;
        return false;
      case DOLLAR:
        return this.takeDollar(following);
      case DOT:
        if (this.afterName()) break;
        this.takeNumber();
        return true;
      case QUESTION:
        this.takeLiteral(PARAMETER, at + 1);
        return true;
      case COLON:
        // knex and named placeholders write :name; `::type` and `:=` are marks.
        if (
          following > 127 ||
          STARTS[following] !== LETTER ||
          this.text.charCodeAt(at - 1) === COLON ||
          this.afterName()
        )
          break;
        this.takeLiteral(PARAMETER, this.wordEnd(at + 1));
        return true;
      case NUL:
        this.broken = true;
        break;
      default:
        break;
    }
    this.takeMark(c);
    return true;
  }

  /** `t.1` and `a[1:n]`: what follows a name or a subscript is not a literal or a placeholder of its own. */
  private afterName(): boolean {
    return this.token > END && this.isAdjacent();
  }

  /** MySQL takes `--` for a comment only before white space, a control character or the end. */
  private dashesComment(at: number): boolean {
    if (at >= this.end) return true;
    const c = this.text.charCodeAt(at);
    return c <= 32 || c === 127;
  }

  private skipLine(): void {
    const { text, end } = this;
    let at = this.at;
    while (at < end) {
      const c = text.charCodeAt(at);
      // Only PostgreSQL ends the comment at a carriage return.
      if (c === NEWLINE || (c === 13 && !this.mysql)) break;
      at += 1;
    }
    this.at = at;
  }

  private skipBlock(from: number): void {
    if (!this.mysql) return this.skipNested(from);
    if (this.startsCondition(from)) return;
    const close = this.text.indexOf('*/', from);
    if (close < 0) this.broken = true;
    this.at = close < 0 ? this.end : close + 2;
  }

  private skipNested(from: number): void {
    const { text, end } = this;
    let depth = 1;
    let at = from;
    while (depth > 0 && at < end) {
      const c = text.charCodeAt(at);
      const following = at + 1 < end ? text.charCodeAt(at + 1) : NUL;
      if (c === STAR && following === SLASH) {
        depth -= 1;
        at += 2;
      } else if (c === SLASH && following === STAR) {
        depth += 1;
        at += 2;
      } else {
        at += 1;
      }
    }
    if (depth > 0) this.broken = true;
    this.at = at;
  }

  /** `/*!50000 … *​/` (MySQL) and `/*M! … *​/` (MariaDB) are code, so their inside is read like any other text. */
  private startsCondition(from: number): boolean {
    const { text, end } = this;
    let at = from < end && text.charCodeAt(from) === 77 ? from + 1 : from;
    if (at >= end || text.charCodeAt(at) !== BANG) return false;
    at += 1;
    while (at < end && STARTS[text.charCodeAt(at)] === DIGIT) at += 1;
    this.conditional = true;
    this.openConditions += 1;
    this.at = at;
    return true;
  }

  private takeString(quote: number, escapes: boolean, escapesAreASetting: boolean): void {
    const { text, end } = this;
    let at = this.at + 1;
    for (;;) {
      if (at >= end) {
        this.broken = true;
        break;
      }
      const c = text.charCodeAt(at);
      at += 1;
      if (c === quote) {
        if (at < end && text.charCodeAt(at) === quote) at += 1;
        else break;
      } else if (c === BACKSLASH && at < end) {
        if (escapesAreASetting && text.charCodeAt(at) === quote) this.ambiguous = true;
        if (escapes) at += 1;
      }
    }
    this.takeLiteral(STRING, at);
  }

  private takeQuoted(quote: number): void {
    const { text, end } = this;
    let at = this.at + 1;
    let hash = 0x2f0b4c47;
    for (;;) {
      if (at >= end) {
        this.broken = true;
        break;
      }
      const c = text.charCodeAt(at);
      at += 1;
      if (c === quote) {
        if (at < end && text.charCodeAt(at) === quote) at += 1;
        else break;
      }
      hash = Math.imul(hash ^ c, 0x01000193);
    }
    this.token = QUOTED;
    this.hash = hash;
    this.at = at;
  }

  /** `$1`, `$$…$$`, `$tag$…$tag$`, or in MySQL a name. */
  private takeDollar(following: number): boolean {
    if (this.mysql) {
      const stop = this.wordEnd(this.start + 1);
      this.takeWord(hashOf(this.text.slice(this.start, stop)), stop, NUL);
      return true;
    }
    if (STARTS[following] === DIGIT) {
      this.takeLiteral(PARAMETER, this.digits(this.start + 1));
      return true;
    }
    let tagEnd = this.start + 1;
    if (following > 127 || STARTS[following] === LETTER) tagEnd = this.wordEnd(tagEnd, true);
    if (tagEnd >= this.end || this.text.charCodeAt(tagEnd) !== DOLLAR) {
      this.takeMark(DOLLAR);
      return true;
    }
    const tag = this.text.slice(this.start, tagEnd + 1);
    const close = this.text.indexOf(tag, tagEnd + 1);
    if (close < 0) this.broken = true;
    this.takeLiteral(STRING, close < 0 ? this.end : close + tag.length);
    return true;
  }

  private wordEnd(from: number, stopAtDollar = false): number {
    let at = from;
    while (at < this.end) {
      const c = this.text.charCodeAt(at);
      if (c <= 127 && (CONTINUES[c] === 0 || (stopAtDollar && c === DOLLAR))) break;
      at += 1;
    }
    return at;
  }
}

function hexDigit(c: number): boolean {
  const letter = c | 32;
  return (c >= 48 && c <= 57) || (letter >= 97 && letter <= 102);
}
