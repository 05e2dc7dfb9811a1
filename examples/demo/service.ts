import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { isAbsolute, join, relative } from 'node:path';
import { createInterface } from 'node:readline';

/** The same application on two kinds of pools. */
export const KINDS = ['enhanced', 'stock'] as const;
export type Kind = (typeof KINDS)[number];
export type ForEachKind<T> = Readonly<Record<Kind, T>>;

export function forEachKind<T>(make: (kind: Kind) => T): ForEachKind<T> {
  return { enhanced: make('enhanced'), stock: make('stock') };
}

const STOP_TIMEOUT_MS = 8_000;
const REMEMBERED_COMPLAINTS = 50;

const application = join(__dirname, 'application.js');
const telemetry = join(__dirname, 'telemetry.js');
const register = join(__dirname, '../../instrumentation/register.js');

/** All that makes the difference between the two kinds: one --require. */
function argumentsFor(kind: Kind): string[] {
  const preloaded = kind === 'enhanced' ? [telemetry, register] : [telemetry];
  return [...preloaded.flatMap((file) => ['--require', file]), application];
}

/** As one would type it. */
export function commandFor(kind: Kind): string {
  return ['node', ...argumentsFor(kind)]
    .map((word) => (isAbsolute(word) ? `${relative('', word)} \\\n      ` : word))
    .join(' ')
    .replace(/ \\\n *$/, '');
}

/** The orders service, in a process of its own. */
export class Service {
  readonly origin: URL;
  readonly #process: ChildProcess;
  readonly #complaints: string[];
  #stopping = false;

  /** @throws when it ends before it is ready; its last words are in the message. */
  static async start(
    kind: Kind,
    environment: NodeJS.ProcessEnv,
    onCrash: (error: Error) => void,
    onConsole: (address: string) => void = () => {},
  ): Promise<Service> {
    const process_ = spawn(process.execPath, argumentsFor(kind), {
      env: { ...environmentOfOthers(), ...environment },
      // By the channel it learns of our end, should we be killed.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const killIt = () => process_.kill('SIGKILL');
    process.on('exit', killIt);
    process_.on('exit', () => process.off('exit', killIt));

    const complaints: string[] = [];
    createInterface(process_.stderr!).on('line', (line) => {
      const [, address] = /^enhanced pool console: (\S+)/.exec(line) ?? [];
      if (address !== undefined) return onConsole(address);
      complaints.push(line);
      if (complaints.length > REMEMBERED_COMPLAINTS) complaints.shift();
    });
    const [line] = await Promise.race([
      once(createInterface(process_.stdout!), 'line'),
      once(process_, 'exit').then(() => {
        throw new Error(`the ${kind} orders service did not start:\n${complaints.join('\n')}`);
      }),
    ]);
    const origin = new URL(/http:\S+/.exec(line)![0]);
    const service = new Service(process_, origin, complaints);
    process_.on('exit', (code, signal) => {
      if (!service.#stopping)
        onCrash(
          new Error(`the ${kind} orders service ended with ${signal ?? code}:\n${complaints.join('\n')}`),
        );
    });
    return service;
  }

  private constructor(process_: ChildProcess, origin: URL, complaints: string[]) {
    this.#process = process_;
    this.origin = origin;
    this.#complaints = complaints;
  }

  /** The last lines that it wrote to its error output. */
  get complaints(): readonly string[] {
    return this.#complaints;
  }

  /** Asks it to end; false when it had to be made to. */
  async stop(): Promise<boolean> {
    this.#stopping = true;
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return true;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const giveUp = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(giveUp);
    return this.#process.signalCode === null;
  }
}

/** Ours, without what would send the application's telemetry elsewhere. */
function environmentOfOthers(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OTEL_')));
}
