/** The conventions' bound on `db.query.summary`. */
const MAX_LENGTH = 255;

/**
 * OpenTelemetry's `db.query.summary`: operations and their targets as written, in the order of the query, cut between
 * words. It is given names only, never a literal.
 */
export class Summary {
  private text = '';
  private first = '';
  private last = '';
  private full = false;
  private separator = '';

  reset(): void {
    this.text = '';
    this.first = '';
    this.last = '';
    this.full = false;
    this.separator = '';
  }

  operation(name: string): void {
    if (this.first === '') this.first = name;
    this.last = '';
    this.append(name);
  }

  /** MySQL names the table of a multi-table DELETE twice in a row; once is enough. */
  target(name: string): void {
    if (name !== this.last) this.append(name);
    this.last = name;
  }

  nextStatement(): void {
    if (this.text !== '') this.separator = '; ';
  }

  isFull(): boolean {
    return this.full;
  }

  /** Of a text that may have been misread: nothing but its first word, which is one of ours. */
  firstOperation(): string {
    return this.first;
  }

  /** Flattened by the look at a character: parts that are slices of the query would keep it and its literals in memory. */
  toString(): string {
    this.text.charCodeAt(0);
    return this.text;
  }

  private append(name: string): void {
    if (this.full) return;
    if (this.text.length + this.separator.length + name.length > MAX_LENGTH) {
      this.full = true;
      return;
    }
    this.text += this.separator + name;
    this.separator = ' ';
  }
}
