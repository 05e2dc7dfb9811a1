#!/usr/bin/env node
// npx opentelemetry-instrumentation-enhanced-pool top <address>
import { parseArgs } from 'node:util';
import { top } from './console/top.js';

const HELP = `Shows in a terminal what the connection pools of an application do.

  npx opentelemetry-instrumentation-enhanced-pool top <address> [--once] [--pool name]

<address> is what the application says on its error output when it runs with ENHANCED_POOL_CONSOLE=true:
  enhanced pool console: http://127.0.0.1:41234/?token=…
It may also come from ENHANCED_POOL_CONSOLE_URL.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    once: { type: 'boolean', default: false },
    pool: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const [command, address = process.env.ENHANCED_POOL_CONSOLE_URL] = positionals;

if (command === 'top' && address !== undefined && URL.canParse(address) && !values.help) {
  top(address, values).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
} else {
  console.log(HELP);
  if (!values.help) process.exitCode = 1;
}
