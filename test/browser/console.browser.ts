// npm run test:browser: clicks through the console in a real browser; npm run docs:pictures takes its pictures as well.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { EnhancedPoolInstrumentation } from '../../instrumentation/index.js';
import { checkoutDirectory } from '../checkout.js';
import { type FakePool, openFakePool } from '../instrumentation/fake-library.js';
import { toolFromDebian } from '../servers/tool.js';

const root = checkoutDirectory();
const pictures = process.env.PICTURES;

/** Of the browser that is unpacked into the checkout. */
const LIBRARIES = ['', '/pulseaudio']
  .map((folder) => join(root, `.cache/chromium/usr/lib/x86_64-linux-gnu${folder}`))
  .join(':');

const PHONE = { width: 390, height: 844 };
const WIDE = { width: 1280, height: 900 };

describe('the console in a browser', function () {
  this.timeout(120_000);
  let instrumentation: EnhancedPoolInstrumentation;
  let pools: FakePool[];
  let browser: Browser;
  let address: string;
  let working = true;
  let work: Promise<void>;

  before(async () => {
    const said = consoleAddress();
    instrumentation = new EnhancedPoolInstrumentation({ telemetry: { console: true } });
    pools = [openFakePool({}, { max: 8, min: 2 })!, openFakePool({ database: 'reports' }, { max: 3 })!];
    address = await said;
    work = keepBusy(pools, () => working);
    browser = await chromium.launch({
      executablePath: toolFromDebian('chromium', 'usr/lib/chromium/chromium'),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-sync',
      ],
      env: { ...process.env, LD_LIBRARY_PATH: LIBRARIES },
    });
    await sleep(3_000);
  });

  after(async () => {
    await browser?.close();
    working = false;
    await work;
    instrumentation.disable();
    await Promise.all(pools.map((pool) => pool.close()));
  });

  async function open(options: BrowserContextOptions): Promise<{ page: Page; complaints: string[] }> {
    const page = await (await browser.newContext(options)).newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('request', (request) => {
      if (!request.url().startsWith(new URL(address).origin)) complaints.push(request.url());
    });
    await page.goto(address);
    await page.waitForSelector('#connections tbody tr');
    return { page, complaints };
  }

  it('shows a pool live, and another when it is chosen', async () => {
    const { page, complaints } = await open({ viewport: WIDE });
    expect(await page.textContent('#numbers'))
      .to.match(/limit\s*8/)
      .and.to.match(/forecast\s*\d/);
    await page.waitForSelector('#queries tbody tr');
    await page.waitForSelector('#sizes tbody tr');
    expect(await page.textContent('#findings')).to.include('statements prepared: 2');
    const before = await page.textContent('#decisions');
    await page.waitForFunction((text) => document.querySelector('#decisions')?.textContent !== text, before);
    await page.evaluate(() => {
      const cell = document.querySelector('#connections tbody td')!;
      getSelection()!.selectAllChildren(cell);
      Object.assign(window, { cell });
    });
    const told = await page.textContent('#decisions');
    await page.waitForFunction((text) => document.querySelector('#decisions')?.textContent !== text, told);
    expect(await page.evaluate(whatIsSelected), 'what was selected before an update').to.be.true;
    await page.getByRole('button', { name: 'Pause' }).click();
    const still = await page.textContent('#shown');
    await sleep(1_500);
    expect(await page.textContent('#shown')).to.equal(still);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.waitForFunction((text) => document.querySelector('#shown')?.textContent !== text, still);
    await page.selectOption('#pool', 'reports');
    await page.waitForFunction(() => /limit\s*3/.test(document.querySelector('#numbers')?.textContent ?? ''));
    expect(await page.locator('#size canvas').count()).to.equal(1);
    expect(await page.evaluate(coloursDrawn), 'lines in colour').to.be.above(100);
    expect(complaints).to.deep.equal([]);
  });

  it('is told to a screen reader: a language, headings, named charts and tables, one live sentence', async () => {
    const { page } = await open({ viewport: WIDE });
    expect(await page.getAttribute('html', 'lang')).to.equal('en');
    expect(await page.getByRole('heading').allTextContents()).to.include.members([
      'Connections',
      'Each connection',
    ]);
    expect(await page.getByRole('img').first().getAttribute('aria-label')).to.match(
      /in use and \d+ idle of 8/,
    );
    for (const name of ['Connections', 'Costliest queries', 'With another max'])
      expect(await page.getByRole('table', { name }).count(), name).to.equal(1);
    expect(await page.getByRole('combobox', { name: 'Pool' }).count()).to.equal(1);
    expect(await page.textContent('#spoken')).to.match(/of 8 in use/);
  });

  it('fits a phone: nothing is wider than the screen', async () => {
    const { page } = await open({ viewport: PHONE, isMobile: true, hasTouch: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).to.be.at.most(PHONE.width);
  });

  for (const [name, options] of Object.entries<BrowserContextOptions>({
    'console-wide': { viewport: WIDE },
    'console-dark': { viewport: WIDE, colorScheme: 'dark' },
    'console-phone': { viewport: PHONE, isMobile: true },
  })) {
    it(`looks itself: ${name}`, async function () {
      if (pictures === undefined) this.skip();
      const { page, complaints } = await open(options);
      await sleep(8_000);
      await page.screenshot({ path: join(root, pictures, `${name}.png`) });
      expect(complaints).to.deep.equal([]);
    });
  }
});

/** Whether the first cell is the same one as before, and still selected. */
function whatIsSelected(): boolean {
  const cell = document.querySelector('#connections tbody td');
  const selected = getSelection()!;
  return cell === (window as unknown as { cell: unknown }).cell && selected.containsNode(cell!, true);
}

/** Pixels of the first chart that are neither grey nor transparent. */
function coloursDrawn(): number {
  const canvas = document.querySelector<HTMLCanvasElement>('#size canvas')!;
  const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0;
  for (let pixel = 0; pixel < data.length; pixel += 4) {
    const [red, green, blue, alpha] = data.slice(pixel, pixel + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    if (alpha > 100 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) coloured += 1;
  }
  return coloured;
}

/** Callers who come in waves, so that there is something to see. */
async function keepBusy(pools: readonly FakePool[], goOn: () => boolean): Promise<void> {
  const underWay = new Set<Promise<unknown>>();
  for (let turn = 0; goOn(); turn += 1) {
    for (const { engine } of pools) {
      const callers = Math.round(3 + 3 * Math.sin(turn / 30) + 2 * Math.random());
      for (let caller = 0; caller < callers && engine.waiting < 6; caller += 1) {
        const query = engine.use(undefined, () => sleep(15 + 30 * Math.random()));
        underWay.add(query);
        query.finally(() => underWay.delete(query));
      }
    }
    await sleep(20);
  }
  await Promise.all(underWay);
}

function consoleAddress(): Promise<string> {
  const { write } = process.stderr;
  return new Promise((resolve) => {
    process.stderr.write = ((text: string) => {
      const [, found] = /enhanced pool console: (\S+)/.exec(text) ?? [];
      if (found === undefined) return write.call(process.stderr, text);
      process.stderr.write = write;
      resolve(found);
      return true;
    }) as typeof write;
  });
}
