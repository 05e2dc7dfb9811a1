import type { Verb } from './leads.js';
import { type Classification, Reader, type ReadOnly, type Shape, worse } from './reading.js';
import { Recent } from './recent.js';
import { withoutCommenterTail } from './tail.js';
import type { Dialect } from './tokens.js';

export type { Classification, Dialect, ReadOnly, Shape, Verb };

const MAX_REMEMBERED = 2000;
const MAX_REMEMBERED_LENGTH = 8192;

const recent = {
  postgresql: new Recent<Classification>(MAX_REMEMBERED / 2),
  mysql: new Recent<Classification>(MAX_REMEMBERED / 2),
};

/**
 * Classifies a query by its text alone. It errs to the safe side: whatever is not understood is `unknown`. What no
 * text shows stays unseen: a view, an operator or an overload of a built-in function that writes.
 */
export function classify(sql: string, dialect: Dialect): Classification {
  const known = dialect === 'mysql' ? recent.mysql : recent.postgresql;
  const text = withoutCommenterTail(sql);
  if (text.length > MAX_REMEMBERED_LENGTH) return understand(text, dialect);
  const remembered = known.get(text);
  if (remembered !== undefined) return remembered;
  const classification = understand(text, dialect);
  known.set(text, classification);
  return classification;
}

const reader = new Reader();

function understand(text: string, dialect: Dialect): Classification {
  const escapes = dialect === 'mysql';
  const usual = reader.read(text, dialect, escapes);
  return reader.wasAmbiguous() ? cautious(usual, reader.read(text, dialect, !escapes)) : usual;
}

/**
 * `standard_conforming_strings = off` and `NO_BACKSLASH_ESCAPES` move the ends of strings. The worse of the two
 * readings counts, unless the other one is no SQL at all: then no server in that mode would run it.
 */
function cautious(usual: Classification, other: Classification): Classification {
  if (reader.wasBroken()) return usual;
  const same = usual.fingerprint === other.fingerprint;
  return {
    ...usual,
    readOnly: worse(usual.readOnly, other.readOnly),
    multiStatement: usual.multiStatement || other.multiStatement,
    sessionStateful: usual.sessionStateful || other.sessionStateful,
    // What is a name in one reading may be a part of a literal in the other.
    summary: same ? usual.summary : (usual.summary.split(/[ ;]/, 1)[0] ?? ''),
  };
}
