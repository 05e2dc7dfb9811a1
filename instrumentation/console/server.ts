import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ConsoleView } from './view.js';

const UPDATE_INTERVAL_MS = 500;
const MOST_LISTENERS = 16;

/** A page for one person on this machine: it listens on the loopback only, and answers only who knows its token. */
export class ConsoleServer {
  readonly #view: () => ConsoleView;
  readonly #token = randomBytes(18).toString('base64url');
  readonly #server: Server;
  readonly #listeners = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(view: () => ConsoleView) {
    this.#view = view;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.unref();
  }

  /** Never keeps the process alive. Port 0 is one that is free. @returns where it is, its token included. */
  start(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        this.#server.on('error', () => {});
        const address = this.#server.address() as AddressInfo;
        resolve(`http://127.0.0.1:${address.port}/?token=${this.#token}`);
      });
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // A name of another host that leads here is a web page's attempt to read us through its visitor's browser.
    if (!isLoopback(request.headers.host)) return refuse(response, 403, 'only for this machine');
    if (request.method !== 'GET') return refuse(response, 405, 'only to be read');
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (!this.#knows(url.searchParams.get('token')))
      return refuse(response, 401, 'the token is missing or wrong');
    if (url.pathname === '/') sendPage(response);
    else if (url.pathname === '/snapshot') send(response, 'application/json', JSON.stringify(this.#view()));
    else if (url.pathname === '/events') this.#listen(request, response);
    else refuse(response, 404, 'there is no such page');
  }

  #knows(given: string | null): boolean {
    const [one, other] = [Buffer.from(given ?? ''), Buffer.from(this.#token)];
    return one.length === other.length && timingSafeEqual(one, other);
  }

  #listen(request: IncomingMessage, response: ServerResponse): void {
    if (this.#listeners.size >= MOST_LISTENERS) return refuse(response, 503, 'too many look on already');
    response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
    request.socket.unref();
    this.#listeners.add(response);
    this.#tell([response]);
    this.#timer ??= setInterval(() => this.#tell(this.#listeners), UPDATE_INTERVAL_MS).unref();
    response.on('close', () => {
      this.#listeners.delete(response);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
  }

  #tell(listeners: Iterable<ServerResponse>): void {
    const event = `data: ${JSON.stringify(this.#view())}\n\n`;
    // One that does not read is left out until it does, so that nothing piles up here.
    for (const listener of listeners) if (!listener.writableNeedDrain) listener.write(event);
  }
}

const HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Everything is in the page itself: the browser is told to load nothing from anywhere. */
function sendPage(response: ServerResponse): void {
  const nonce = randomBytes(16).toString('base64');
  const page = readFileSync(join(__dirname, 'page.html'), 'utf8').replaceAll('{nonce}', nonce);
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'`;
  response.writeHead(200, {
    ...HEADERS,
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy,
  });
  response.end(page);
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { ...HEADERS, 'content-type': type }).end(body);
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' }).end(`${why}\n`);
}

function isLoopback(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host ?? '');
}
