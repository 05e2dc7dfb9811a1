import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Installs exactly these packages into a folder of their own, unless they are there. */
export async function install(folder: string, packages: Readonly<Record<string, string>>): Promise<void> {
  const isThere = Object.entries(packages).every(([name, version]) => versionIn(folder, name) === version);
  if (isThere) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: packages }));
  const words = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  // Old libraries name peers that nobody has any more.
  await promisify(execFile)('npm', [...words, '--legacy-peer-deps', '--prefer-offline', '--loglevel=error'], {
    cwd: folder,
    timeout: 120_000,
  });
  for (const [name, version] of Object.entries(packages)) {
    if (versionIn(folder, name) !== version) throw new Error(`npm did not install ${name} ${version}`);
  }
}

export function versionIn(folder: string, name: string): string | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}
