/** The kind of statement, by its first word (after WITH: by the first word of the main statement). */
export type Verb =
  | 'select'
  | 'insert'
  | 'update'
  | 'delete'
  | 'merge'
  | 'ddl'
  | 'txBegin'
  | 'txEnd'
  | 'savepoint'
  | 'set'
  | 'show'
  | 'call'
  | 'copy'
  | 'explain'
  | 'util'
  | 'unknown';

/**
 * How the rest of a statement is read: `query` clause by clause; `object` for the kind and names of what DDL touches;
 * `name` for one list of names; `copy` and `explain` for what they wrap; `bare` for nothing but the calls it makes.
 */
export type Story = 'query' | 'object' | 'name' | 'copy' | 'explain' | 'bare';

/** What the first word of a statement tells. */
export interface Lead {
  readonly words: string;
  readonly verb: Verb;
  readonly readOnly: 'yes' | 'no' | 'unknown';
  readonly story: Story;
  /** Dialects in which it leaves something behind on the connection. */
  readonly stateful: 'never' | 'mysql' | 'postgresql' | 'always';
}

function lead(
  words: string,
  verb: Verb,
  readOnly: Lead['readOnly'],
  story: Story,
  stateful: Lead['stateful'] = 'never',
): Lead {
  return { words, verb, readOnly, story, stateful };
}

/** Every statement that begins with another word is `unknown`. */
export const leads: readonly Lead[] = [
  lead('select values', 'select', 'yes', 'query'),
  lead('with', 'unknown', 'yes', 'query'),
  lead('table', 'select', 'yes', 'name'),
  lead('insert replace', 'insert', 'no', 'query'),
  lead('update', 'update', 'no', 'query'),
  lead('delete', 'delete', 'no', 'query'),
  lead('merge', 'merge', 'no', 'query'),
  lead('create alter drop', 'ddl', 'no', 'object'),
  lead('truncate', 'ddl', 'no', 'name'),
  lead('rename grant revoke comment security reindex cluster refresh import reassign', 'ddl', 'no', 'bare'),
  // What a transaction does is told by the statements in it, and nothing but COMMIT makes it last.
  lead('begin start', 'txBegin', 'unknown', 'bare'),
  lead('rollback abort', 'txEnd', 'unknown', 'bare'),
  lead('commit end', 'txEnd', 'no', 'bare'),
  lead('savepoint release', 'savepoint', 'unknown', 'bare'),
  lead('set', 'set', 'no', 'bare', 'always'),
  lead('reset', 'set', 'no', 'bare', 'always'),
  lead('show', 'show', 'yes', 'bare'),
  lead('explain', 'explain', 'yes', 'explain'),
  lead('describe desc', 'explain', 'yes', 'explain'),
  lead('call exec', 'call', 'no', 'name'),
  // Its body is a string, so that it could do anything.
  lead('do', 'call', 'no', 'bare', 'postgresql'),
  lead('execute', 'util', 'unknown', 'name'),
  lead('copy', 'copy', 'no', 'copy'),
  lead('load', 'copy', 'no', 'bare', 'postgresql'),
  lead('prepare deallocate discard listen unlisten declare handler', 'util', 'no', 'bare', 'always'),
  lead('fetch move close', 'util', 'unknown', 'bare'),
  lead('use', 'util', 'no', 'name', 'always'),
  lead('lock', 'util', 'no', 'name', 'mysql'),
  lead('unlock flush xa', 'util', 'no', 'bare', 'always'),
  lead(
    'vacuum analyze analyse checkpoint notify optimize repair kill install uninstall',
    'util',
    'no',
    'bare',
  ),
  lead('shutdown restart purge change stop cache signal resignal binlog clone', 'util', 'no', 'bare'),
  lead('check checksum help', 'util', 'unknown', 'bare'),
];
