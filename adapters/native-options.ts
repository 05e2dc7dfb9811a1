/** A native pool's option as a number: those pools take what JavaScript can compare, strings of digits included. */
export function numberOr(value: unknown, fallback: number): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : fallback;
}

/** As `numberOr`, rounded down: a count. */
export function wholeOr(value: unknown, fallback: number): number {
  return Math.floor(numberOr(value, fallback));
}
