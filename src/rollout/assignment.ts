/**
 * Whether this process belongs to the first `percent` of all for one flag. The same process always answers the same, and
 * flags choose different processes.
 */
export function inRollout(instanceId: string, flag: string, percent: number): boolean {
  return hash(`${flag}\u0000${instanceId}`) < (percent / 100) * 2 ** 32;
}

/** FNV-1a, 32 bits, with a final mix: neighbouring texts would otherwise land near each other. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
