// Whole modules of the engine against its unit tests and the quickest simulations; scripts/mutation.mjs says what may be asked for.
export default {
  mutate: ['src/**/*.ts'],
  // There is nothing to rewrite in tsconfig.json, and TypeScript 7 has no API to read it with.
  tsconfigFile: 'none',
  buildCommand: 'tsc',
  testRunner: 'mocha',
  plugins: ['./scripts/stryker-mocha.mjs'],
  mochaOptions: {
    require: ['./scripts/stryker-forget.cjs'],
    spec: [
      'dist/test/unit/**/*.test.js',
      ...['idle-killer', 'isolation', 'mute', 'nested', 'rotation'].map(
        (name) => `dist/test/simulation/${name}.test.js`,
      ),
    ],
    // Statistics over many runs take nine tenths of the time, once for every mutant that they cover.
    ignore: ['dist/test/unit/query/oracle.test.js', 'dist/test/unit/sizing/backtest.test.js'],
    grep: '^(?!.*1,000 pools)',
  },
  coverageAnalysis: 'perTest',
  // A mutant of what runs when a module is loaded costs a run of every test in a new process.
  ignoreStatic: true,
  concurrency: 1,
  reporters: ['clear-text', 'progress-append-only', 'html', 'json'],
  clearTextReporter: { reportTests: false },
  htmlReporter: { fileName: '.build/mutation/report.html' },
  jsonReporter: { fileName: '.build/mutation/report.json' },
  tempDirName: '.build/mutation/sandbox',
  ignorePatterns: ['.cache', 'bench/results', 'coverage', 'docs'],
  thresholds: { high: 90, low: 80, break: 80 },
};
