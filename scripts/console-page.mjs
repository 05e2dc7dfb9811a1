// One page out of its parts and uPlot's, so that the console loads nothing from anywhere and needs no package.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export function writeConsolePage(root) {
  const part = (file) => readFileSync(join(root, 'instrumentation/console/page', file), 'utf8');
  const uplot = (file) => readFileSync(join(root, 'node_modules/uplot', file), 'utf8');
  const licence = `/*!\nuPlot, ${uplot('LICENSE').trim().replaceAll('*/', '')}\n*/\n`;
  const parts = {
    '{uplot.css}': uplot('dist/uPlot.min.css'),
    '{page.css}': part('page.css'),
    '{uplot.js}': licence + uplot('dist/uPlot.iife.min.js'),
    '{page.js}': part('page.js'),
  };
  let page = part('page.html');
  for (const [name, text] of Object.entries(parts)) page = page.replace(`/* ${name} */`, () => text);
  const target = join(root, 'dist/instrumentation/console/page.html');
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, page);
  return target;
}
