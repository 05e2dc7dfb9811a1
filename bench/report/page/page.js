// Draws the charts of the report: one x axis for all series of a chart, gaps where one has no point.
/* global uPlot */
const charts = JSON.parse(document.getElementById('charts').textContent);
const dark = matchMedia('(prefers-color-scheme: dark)');
const COLOURS = {
  light: ['#0b62b5', '#b3261e', '#2f7d4f', '#8a5a00', '#6b3fa0', '#00707a', '#55606e'],
  dark: ['#6cb2f7', '#ff9b92', '#6fce97', '#f0c060', '#c9a8f5', '#66d0d8', '#a3adba'],
};
const HEIGHT = 280;

function draw() {
  const colours = dark.matches ? COLOURS.dark : COLOURS.light;
  const ink = dark.matches ? '#a3adba' : '#55606e';
  const line = dark.matches ? '#343b47' : '#d5dae1';
  for (const [id, { x, y, series }] of Object.entries(charts)) {
    const box = document.getElementById(id);
    box.replaceChildren();
    const xs = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
    const columns = series.map(({ points }) => {
      const by = new Map(points);
      return xs.map((at) => by.get(at) ?? null);
    });
    const axis = ({ label }) => ({
      label,
      stroke: ink,
      grid: { stroke: line, width: 1 },
      ticks: { stroke: line },
    });
    const scale = ({ logarithmic }) => (logarithmic ? { distr: 3 } : {});
    new uPlot(
      {
        width: Math.max(280, box.clientWidth),
        height: HEIGHT,
        scales: { x: { time: false, ...scale(x) }, y: scale(y) },
        axes: [axis(x), { ...axis(y), size: 70 }],
        series: [
          { label: x.label },
          ...series.map(({ name }, index) => ({
            label: name,
            stroke: colours[index % colours.length],
            width: 2,
            dash: index >= colours.length ? [6, 4] : undefined,
            spanGaps: true,
          })),
        ],
      },
      [xs, ...columns],
      box,
    );
  }
}

draw();
dark.addEventListener('change', draw);
let resized;
addEventListener('resize', () => {
  clearTimeout(resized);
  resized = setTimeout(draw, 200);
});
