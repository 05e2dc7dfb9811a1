/** Tells a person at a terminal what is being measured now; leaves no trace in what is kept. */
export function say(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K  measuring ${what}…`);
}

export function sayNothing(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
