/** The text of a statement: of a text itself, a configuration, or an object that submits itself. */
export function textOf(statement: unknown, key: 'text' | 'sql'): string | undefined {
  const text =
    typeof statement === 'string' ? statement : (statement as Record<string, unknown> | null)?.[key];
  return typeof text === 'string' ? text : undefined;
}
