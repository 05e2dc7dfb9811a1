/** Forgets what was loaded of these packages: the next `require` finds classes that nobody has patched. */
export function unload(...packages: readonly string[]): void {
  for (const file of Object.keys(require.cache)) {
    if (packages.some((name) => file.includes(`/node_modules/${name}/`))) delete require.cache[file];
  }
}
