import { type ChildProcess, execFile, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, cpSync, openSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findProgram } from './find-program.js';
import { findFreePort } from './free-port.js';
import {
  createPrivateDirectory,
  giveToServerUser,
  removePrivateDirectory,
  serverUser,
  sweepAbandonedDirectories,
} from './private-directory.js';
import { childrenOf, isRunning, signalIfThere } from './processes.js';

const startTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;
const pollMs = 10;
const portAttempts = 3;

/** `fast` ends sessions and shuts down; `immediate` drops them without a goodbye; `kill` is kill -9. */
export type StopMode = 'fast' | 'immediate' | 'kill';

/** What a database must tell us so that we can run it. */
export interface Recipe {
  readonly label: string;
  /** The files of the installation that holds `program`, copied when the server's user can't reach them. */
  readonly installation: string;
  /** The server, relative to the installation. */
  readonly program: string;
  /** Folders with shared libraries, relative to the installation. */
  readonly libraryFolders: readonly string[];
  /** Fills the data directory, once. */
  prepare(place: Place): Promise<void>;
  /** The server's arguments. */
  serve(place: Place, port: number): string[];
  /** Written to the log when the server accepts connections. */
  readonly readyLine: RegExp;
  readonly stopSignals: Readonly<Record<StopMode, NodeJS.Signals>>;
}

/** Where a private server lives. */
export interface Place {
  readonly directory: string;
  readonly installation: string;
  /** Runs one of the installation's programs to its end, as the server's user. */
  run(program: string, words: readonly string[], input?: string): Promise<void>;
}

/** A database server of our own: unprivileged, on a free loopback port, gone at the latest when we are gone. */
export class PrivateServer {
  readonly #recipe: Recipe;
  readonly #place: Place;
  readonly #environment: NodeJS.ProcessEnv;
  #process: ChildProcess | undefined;
  #port = 0;

  static async start(recipe: Recipe): Promise<PrivateServer> {
    watchOurOwnEnd();
    const server = new PrivateServer(recipe);
    running.add(server);
    try {
      await recipe.prepare(server.#place);
      await server.#launchOnFreePort();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  private constructor(recipe: Recipe) {
    const directory = createPrivateDirectory(recipe.label);
    const installation = reachable(recipe, directory);
    const libraries = [directory, ...recipe.libraryFolders.map((folder) => join(installation, folder))];
    const environment = {
      PATH: process.env.PATH,
      LC_ALL: 'C',
      [process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH']: libraries.join(delimiter),
    };
    this.#recipe = recipe;
    this.#environment = environment;
    this.#place = {
      directory,
      installation,
      run: async (program, words, input = '') => {
        const options = { ...serverUser, cwd: directory, env: environment };
        const finished = promisify(execFile)(join(installation, program), words, options);
        finished.child.stdin?.end(input);
        await finished;
      },
    };
  }

  get port(): number {
    return this.#port;
  }

  /** Undefined while it is halted. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get directory(): string {
    return this.#place.directory;
  }

  get binary(): string {
    return join(this.#place.installation, this.#recipe.program);
  }

  /** All that the server has written to its log. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Shuts down and keeps the data and the port, for `resume`. */
  async halt({ mode = 'fast' }: { mode?: StopMode } = {}): Promise<void> {
    const server = this.#process;
    if (!server?.pid) return;
    const family = childrenOf(server.pid);
    const ended = once(server, 'exit');
    server.ref();
    server.kill(this.#recipe.stopSignals[mode]);
    this.thaw();
    const giveUp = setTimeout(() => server.kill('SIGKILL'), stopTimeoutMs);
    await ended;
    clearTimeout(giveUp);
    // PostgreSQL's backends outlive a killed postmaster by a moment, and it would not start again beside them.
    while (family.some(isRunning)) await sleep(pollMs);
  }

  async resume(): Promise<void> {
    if (!this.#process) await this.#launch();
  }

  async restart(options?: { mode?: StopMode }): Promise<void> {
    await this.halt(options);
    await this.resume();
  }

  /** A hung server: connections stay open, new ones are taken by the kernel, nothing answers. */
  freeze(): void {
    this.#signalAll('SIGSTOP');
  }

  thaw(): void {
    this.#signalAll('SIGCONT');
  }

  /** Shuts down and removes every trace. */
  async stop(): Promise<void> {
    await this.halt();
    running.delete(this);
    removePrivateDirectory(this.directory);
  }

  /** For the end of our own process, which can't wait. */
  stopAtOnce(): void {
    if (this.#process?.pid) {
      this.#process.kill(this.#recipe.stopSignals.immediate);
      this.thaw();
    }
    removePrivateDirectory(this.directory);
  }

  get #logFile(): string {
    return join(this.directory, 'server.log');
  }

  #signalAll(signal: NodeJS.Signals): void {
    const pid = this.#process?.pid;
    if (pid) for (const member of [pid, ...childrenOf(pid)]) signalIfThere(member, signal);
  }

  /** Between finding a free port and using it another process may take it. */
  async #launchOnFreePort(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      this.#port = await findFreePort();
      try {
        return await this.#launch();
      } catch (error) {
        if (attempt === portAttempts || !/address already in use/i.test(String(error))) throw error;
      }
    }
  }

  async #launch(): Promise<void> {
    const log = openSync(this.#logFile, 'a');
    const logStart = statSync(this.#logFile).size;
    const server = spawnWithUs(
      this.binary,
      this.#recipe.serve(this.#place, this.#port),
      {
        ...serverUser,
        cwd: this.directory,
        env: this.#environment,
        stdio: ['ignore', log, log],
        // In a group of its own, Ctrl-C reaches only us, and the last queries still find their server.
        detached: true,
      },
      this.#recipe.stopSignals.fast,
    );
    closeSync(log);
    // A forgotten `stop` must not keep our process alive: its end stops the server.
    server.unref();

    let failure: string | undefined;
    server.on('error', (error) => {
      failure = error.message;
    });
    server.on('exit', (code, signal) => {
      failure = `it ended with ${signal ?? code}`;
      if (this.#process === server) this.#process = undefined;
    });
    this.#process = server;

    const giveUpAt = performance.now() + startTimeoutMs;
    const newLog = () => readFileSync(this.#logFile).subarray(logStart).toString();
    while (!this.#recipe.readyLine.test(newLog())) {
      if (performance.now() > giveUpAt) failure = `not ready after ${startTimeoutMs} ms`;
      if (failure) throw new Error(`${this.binary} did not start: ${failure}\n${newLog().slice(-2000)}`);
      await sleep(pollMs);
    }
  }
}

const running = new Set<PrivateServer>();
let watching = false;

function watchOurOwnEnd(): void {
  if (watching) return;
  watching = true;
  sweepAbandonedDirectories();
  process.on('exit', () => {
    for (const server of running) server.stopAtOnce();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      // Whoever else listens decides when to end, and 'exit' follows. Else the signal ends us, as if we had not listened.
      if (process.listenerCount(signal) > 0) return;
      for (const server of running) server.stopAtOnce();
      process.kill(process.pid, signal);
    });
  }
}

/** Even when we are killed, the kernel passes the signal on to the server, where it can (Linux). */
function spawnWithUs(
  program: string,
  words: readonly string[],
  options: SpawnOptions,
  deathSignal: NodeJS.Signals,
): ChildProcess {
  const setpriv = findProgram('setpriv');
  return setpriv
    ? spawn(setpriv, ['--pdeathsig', deathSignal.slice('SIG'.length), program, ...words], options)
    : spawn(program, words, options);
}

/** A checkout in root's home is closed to the server's user, who then gets a copy. */
function reachable({ installation, program }: Recipe, directory: string): string {
  const file = join(installation, program);
  if (serverUser.uid === undefined) return installation;
  if (spawnSync('/bin/sh', ['-c', 'test -x "$0"', file], { ...serverUser, cwd: '/' }).status === 0)
    return installation;
  const copy = join(directory, 'installation');
  cpSync(installation, copy, { recursive: true, verbatimSymlinks: true });
  giveToServerUser(copy);
  return copy;
}
