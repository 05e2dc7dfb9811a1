import { classify, type Dialect } from './classify.js';

/** One key for all texts of a query, whatever its literals, comments, white space and lengths of lists. */
export function fingerprint(sql: string, dialect: Dialect): string {
  return classify(sql, dialect).fingerprint;
}
