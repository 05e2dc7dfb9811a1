import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDirectory } from '../checkout.js';
import { PrivateServer, type StopMode } from './private-server.js';

const program = 'usr/bin/redis-server';

/** A private Redis that forgets everything when it ends, unless it `keepsData`. */
export interface Redis {
  readonly url: string;
  halt(options?: { mode?: StopMode }): Promise<void>;
  resume(): Promise<void>;
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

export async function startRedis({ keepsData = false } = {}): Promise<Redis> {
  const installation = findInstallation();
  const server = await PrivateServer.start({
    label: 'redis',
    installation,
    program,
    libraryFolders: libraryFoldersOf(installation),
    prepare: async () => {},
    serve: (place, port) => [
      ...['--bind', '127.0.0.1', '--port', String(port), '--dir', place.directory],
      ...['--save', '', '--appendonly', keepsData ? 'yes' : 'no', '--appendfsync', 'always'],
    ],
    readyLine: /Ready to accept connections/,
    stopSignals: { fast: 'SIGTERM', immediate: 'SIGKILL', kill: 'SIGKILL' },
  });
  return {
    url: `redis://127.0.0.1:${server.port}`,
    halt: (options) => server.halt(options),
    resume: () => server.resume(),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    stop: () => server.stop(),
  };
}

/** Debian's, unpacked into `.cache` where the machine has none. */
function findInstallation(): string {
  const script = join(checkoutDirectory(), 'scripts/tool-from-debian.mjs');
  const found = execFileSync(process.execPath, [script, 'redis-server', program], { encoding: 'utf8' });
  return found.trim().slice(0, -program.length);
}

/** Such as usr/lib/x86_64-linux-gnu; none where it was installed. */
function libraryFoldersOf(installation: string): string[] {
  if (installation === '/') return [];
  const folder = join(installation, 'usr/lib');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => join('usr/lib', name));
}
