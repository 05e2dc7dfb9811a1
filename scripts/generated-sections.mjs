// Pages of which some sections are generated: they stand between <!-- NAME: generated --> and <!-- /NAME -->.
import { readFileSync, writeFileSync } from 'node:fs';

/** Brings the sections of a page up to date, or with `check` says whether they are. */
export function writeSections(page, sections, { check = false } = {}) {
  const before = readFileSync(page, 'utf8');
  let after = before;
  for (const [name, text] of Object.entries(sections)) {
    const [begin, end] = [`<!-- ${name}: generated -->`, `<!-- /${name} -->`];
    const [from, to] = [after.indexOf(begin), after.indexOf(end)];
    if (from === -1 || to === -1) throw new Error(`${page} has no ${begin} … ${end}`);
    after = `${after.slice(0, from + begin.length)}\n${text}\n${after.slice(to)}`;
  }
  if (after !== before && !check) writeFileSync(page, after);
  return after === before;
}
