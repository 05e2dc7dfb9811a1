import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { JudgedGoal } from './goals.js';
import type { Machine } from './machine.js';
import type { Findings } from './suite.js';

/** One suite's last run. */
export interface SuiteRecord extends Pick<Findings, 'samples' | 'against' | 'tables' | 'charts'> {
  readonly question: string;
  readonly ranAt: string;
  readonly tookSeconds: number;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly goals: readonly JudgedGoal[];
}

/** The last run of each suite, by its name. */
export type Results = Readonly<Record<string, SuiteRecord>>;

/** Puts a suite's record beside those of the other suites in `file`. */
export function keep(file: string, suite: string, record: SuiteRecord): void {
  const suites = { ...read(file), [suite]: record };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ suites }, undefined, 1)}\n`);
}

/** Empty where there is no such file. */
export function read(file: string): Results {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { suites: Results }).suites;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
