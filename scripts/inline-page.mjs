// One page out of its parts and uPlot's, so that it loads nothing from anywhere and needs no package.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export function inlinePage(root, directory, more = {}) {
  const part = (file) => readFileSync(join(root, directory, file), 'utf8');
  const uplot = (file) => readFileSync(join(root, 'node_modules/uplot', file), 'utf8');
  const licence = `/*!\nuPlot, ${uplot('LICENSE').trim().replaceAll('*/', '')}\n*/\n`;
  const parts = {
    '/* {uplot.css} */': uplot('dist/uPlot.min.css'),
    '/* {palette.css} */': readFileSync(join(root, 'scripts/palette.css'), 'utf8'),
    '/* {page.css} */': part('page.css'),
    '/* {uplot.js} */': licence + uplot('dist/uPlot.iife.min.js'),
    '/* {page.js} */': part('page.js'),
    ...more,
  };
  let page = part('page.html');
  for (const [place, text] of Object.entries(parts)) page = page.replace(place, () => text);
  return page;
}
