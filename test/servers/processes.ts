// What we must know of other processes, from Linux's /proc. Elsewhere nothing is found.
import { readdirSync, readFileSync } from 'node:fs';

/** The direct children of a process, such as PostgreSQL's backends. */
export function childrenOf(pid: number): number[] {
  return readNames(`/proc/${pid}/task`).flatMap((task) =>
    readOrEmpty(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
  );
}

/** The processes that have this text in their arguments. */
export function processesMentioning(text: string): number[] {
  return readNames('/proc')
    .filter((name) => /^\d+$/.test(name) && readOrEmpty(`/proc/${name}/cmdline`).includes(text))
    .map(Number);
}

/** A process that has ended and waits for its parent to notice (a zombie) does not count. */
export function isRunning(pid: number): boolean {
  return /\) [^ZX] /.test(readOrEmpty(`/proc/${pid}/stat`));
}

export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function readNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
