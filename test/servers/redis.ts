import { PrivateServer, type StopMode } from './private-server.js';
import { installedTool } from './tool.js';

const program = 'usr/bin/redis-server';

/** A private Redis that forgets everything when it ends. */
export interface Redis {
  readonly url: string;
  halt(options?: { mode?: StopMode }): Promise<void>;
  resume(): Promise<void>;
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

export async function startRedis(): Promise<Redis> {
  const server = await PrivateServer.start({
    label: 'redis',
    program,
    ...installedTool('redis-server', program),
    prepare: async () => {},
    serve: (place, port) => [
      ...['--bind', '127.0.0.1', '--port', String(port), '--dir', place.directory],
      ...['--save', '', '--appendonly', 'no'],
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
