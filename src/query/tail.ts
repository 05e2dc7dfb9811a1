const SLASH = 47;
const STAR = 42;
const QUOTE = 39;
const EQUALS = 61;

/**
 * The text without a comment that sqlcommenter appended, such as `/*traceparent='00-…-01'*​/`, which makes every text
 * unique. Cutting is safe even where it was no comment: whatever it stood in is then left open, and an open string
 * or comment is never `readOnly: 'yes'`.
 */
export function withoutCommenterTail(sql: string): string {
  const { length } = sql;
  if (sql.charCodeAt(length - 1) !== SLASH || sql.charCodeAt(length - 2) !== STAR) return sql;
  if (sql.charCodeAt(length - 3) !== QUOTE) return sql;
  const start = sql.lastIndexOf('/*');
  if (start < 0 || !startsWithKey(sql, start + 2)) return sql;
  // An earlier end of the comment would leave code behind it.
  if (sql.indexOf('*/', start + 2) !== length - 2) return sql;
  let end = start;
  while (end > 0 && sql.charCodeAt(end - 1) <= 32) end -= 1;
  return sql.slice(0, end);
}

/** `key='`, the key made of the characters that URL encoding leaves alone. */
function startsWithKey(sql: string, from: number): boolean {
  let at = from;
  for (; at < sql.length; at += 1) {
    const c = sql.charCodeAt(at);
    const letter = c | 32;
    const plain =
      (letter >= 97 && letter <= 122) || (c >= 48 && c <= 57) || c === 95 || c === 45 || c === 46 || c === 37;
    if (!plain) break;
  }
  return at > from && sql.charCodeAt(at) === EQUALS && sql.charCodeAt(at + 1) === QUOTE;
}
