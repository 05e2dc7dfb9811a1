import { expect } from 'chai';
import { Addresses } from '../../../src/health/addresses.js';
import { type Slot, SlotState, Slots } from '../../../src/slots.js';

const HOST = 'writer.example';
const [OLD, NEW, THIRD] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
const MINUTE = 60_000;
const home = { takeBack: () => true };

/** A pool's connections, what is known of the names of their servers, and a clock that goes from look to look. */
class Net {
  readonly slots = new Slots<object>();
  readonly addresses = new Addresses<object>();
  now = 0;

  open(address = OLD, host = HOST): Slot<object> {
    const slot = this.slots.add(home, this.now);
    slot.route = { host, address };
    this.slots.move(slot, SlotState.idle);
    this.addresses.opened(slot, this.now);
    return slot;
  }

  due(now: number): string[] {
    this.now = now;
    return this.addresses.due(this.slots, now);
  }

  answer(...addresses: string[]) {
    return this.addresses.answered(HOST, addresses, this.slots, this.now);
  }

  /** When the name is looked up next, to a tenth of a second. */
  next(): number {
    const until = this.now + 10 * MINUTE;
    while (this.now < until && !this.due(this.now).includes(HOST)) this.now += 100;
    return this.now;
  }

  /** Gives these answers in turns, until one has an address given up; how many that took, and the time from the last but one. */
  lead(answers: readonly string[][], most = 100) {
    let everyMs = 0;
    for (let given = 1; given <= most; given += 1) {
      const before = this.now;
      this.next();
      if (given > 1) everyMs = this.now - before;
      const move = this.answer(...answers[given % answers.length]!);
      if (move !== undefined) return { given, everyMs, move };
    }
    return undefined;
  }
}

function led(address = OLD): Net {
  const net = new Net();
  net.open(address);
  return net;
}

describe('what a name of a server stands for', () => {
  it('is asked half a minute after a connection has shown it, and half a minute after each answer', () => {
    const net = led();
    expect(net.due(29_999)).deep.equal([]);
    expect(net.due(30_000)).deep.equal([HOST]);
    net.now = 31_000;
    net.answer(OLD);
    expect(net.due(60_999)).deep.equal([]);
    expect(net.due(61_000)).deep.equal([HOST]);
    expect(net.addresses.report()).deep.equal([{ host: HOST, addresses: [OLD], gone: [], lookups: 2 }]);
  });

  it('is asked once more when an answer has not come for five minutes', () => {
    const net = led();
    net.due(30_000);
    expect(net.due(329_999)).deep.equal([]);
    expect(net.due(330_000)).deep.equal([HOST]);
  });

  it('is asked of each name to which connections lead, and of no other', () => {
    const net = led();
    const other = net.open(NEW, 'reader.example');
    net.open(THIRD).route = undefined;
    net.addresses.opened(net.slots.add(home, 0), 0);
    expect(net.due(30_000)).deep.equal([HOST, 'reader.example']);
    for (const host of [HOST, 'reader.example']) net.addresses.answered(host, [], net.slots, 30_000);
    net.slots.move(other, SlotState.closing);
    expect(net.due(60_000), 'it is on its way out').deep.equal([HOST]);
    expect(net.addresses.answered('no.example', [NEW], net.slots, 60_000)).equal(undefined);
  });

  it('is forgotten ten minutes after it would have been asked of a name to which no connection leads', () => {
    const net = new Net();
    net.slots.move(net.open(), SlotState.closing);
    expect(net.due(30_000 + 10 * MINUTE)).deep.equal([]);
    expect(net.addresses.report()).length(1);
    expect(net.due(30_001 + 10 * MINUTE)).deep.equal([]);
    expect(net.addresses.report()).deep.equal([]);
  });

  it('has changed when twelve answers in a row were the same, and without an address that is in use', () => {
    const net = led();
    net.next();
    net.answer(OLD);
    expect(net.lead([[NEW]])).deep.equal({
      given: 12,
      everyMs: 5_000,
      move: { host: HOST, from: [OLD], to: [NEW] },
    });
    expect(net.addresses.report()).deep.equal([{ host: HOST, addresses: [NEW], gone: [OLD], lookups: 13 }]);
    const { now } = net;
    expect(net.next() - now, 'that is settled').equal(30_000);
    expect(net.answer(NEW), 'it is told once').equal(undefined);
  });

  for (const { what, answers, given } of [
    {
      what: 'in another order, or said twice',
      answers: [
        [NEW, THIRD],
        [THIRD, NEW, NEW],
      ],
      given: 12,
    },
    { what: 'of two in turns', answers: [[NEW], [THIRD]], given: undefined },
    { what: 'of which one has it', answers: [[NEW], [NEW], [OLD, NEW]], given: undefined },
    { what: 'of which some cannot be told', answers: [[], [NEW], [NEW]], given: 17 },
  ] as const) {
    it(`${given === undefined ? 'has not changed' : 'is the same'} by answers ${what}`, () => {
      expect(led().lead(answers as unknown as string[][])?.given).equal(given);
    });
  }

  it('needs twelve answers since the same connections were there', () => {
    const net = led();
    expect(net.lead([[NEW]], 11)).equal(undefined);
    net.open(NEW);
    expect(net.lead([[NEW]], 1)?.move.from, 'one elsewhere says nothing').deep.equal([OLD]);
    const again = led();
    expect(again.lead([[NEW]], 11)).equal(undefined);
    again.open(OLD);
    expect(again.lead([[NEW]])?.given, 'one that led there since').equal(12);
  });

  it('loses all of the addresses that are gone together', () => {
    const net = led();
    net.open(THIRD);
    expect(net.lead([[NEW]])?.move).deep.equal({ host: HOST, from: [OLD, THIRD], to: [NEW] });
  });

  it('is asked at once after a failure as of a failover, but five seconds after the last time at the soonest', () => {
    const early = led();
    early.addresses.alert(1_000);
    expect(early.next()).equal(5_000);
    const late = led();
    late.addresses.alert(10_000);
    late.now = 10_000;
    expect(late.next()).equal(10_000);
    late.addresses.alert(20_000);
    expect(late.due(60_000), 'the answer is on its way').deep.equal([]);
    late.answer(OLD);
    late.addresses.alert(60_000);
    expect(late.due(60_000), 'it is here').deep.equal([HOST]);
  });

  it('is proven by three answers within a minute of such a failure, and asked every five seconds', () => {
    const alerted = (net: Net) => {
      net.now = 10_000;
      net.addresses.alert(10_000);
      return net;
    };
    expect(alerted(led()).lead([[NEW]])).deep.include({ given: 3, everyMs: 5_000 });
    const calm = alerted(led());
    const asked: number[] = [];
    while (calm.now < 130_000) {
      asked.push(calm.next());
      // Whether the name stays as it is or cannot be told.
      if (asked.length % 2 === 0) calm.answer(OLD);
      else calm.answer();
    }
    const quick = Array.from({ length: 13 }, (_, at) => 10_000 + 5_000 * at);
    expect(asked).deep.equal([...quick, 100_000, 130_000]);
    calm.next();
    expect(calm.lead([[NEW]])?.given).equal(12);
  });

  it('takes twice as many answers, half as often, each time that an address is met again that was given up', () => {
    const net = led();
    const proofs = Array.from({ length: 5 }, () => {
      const { given, everyMs } = net.lead([[NEW]])!;
      net.open(OLD);
      return [given, everyMs];
    });
    expect(proofs).deep.equal([
      [12, 5_000],
      [24, 10_000],
      [48, 20_000],
      [96, 30_000],
      [96, 30_000],
    ]);
  });

  it('takes as many when an answer names it again', () => {
    const net = led();
    net.lead([[NEW]]);
    net.next();
    net.answer(OLD, NEW);
    expect(net.addresses.report()[0]).deep.include({ addresses: [OLD, NEW], gone: [] });
    expect(net.lead([[NEW]])?.given).equal(24);
  });

  it('remembers what was given up while connections lead there, and for ten minutes', () => {
    const net = led();
    const goneAfter = (ms: number) => {
      net.now += ms;
      net.answer(NEW);
      return net.addresses.report()[0]!.gone;
    };
    net.lead([[NEW]]);
    net.open(NEW);
    expect(goneAfter(20 * MINUTE), 'one still leads there').deep.equal([OLD]);
    net.slots.move([...net.slots][0]!, SlotState.closing);
    expect(goneAfter(0)).deep.equal([]);
    net.open(OLD);
    expect(net.lead([[NEW]])?.given, 'that it is there again is no surprise').equal(12);
    net.slots.move([...net.slots].at(-1)!, SlotState.closing);
    expect(goneAfter(10 * MINUTE)).deep.equal([OLD]);
    expect(goneAfter(1)).deep.equal([]);
  });

  it('leads those astray who are in service on an address that was given up', () => {
    const net = led();
    const [old] = [...net.slots];
    const [leased, closing, elsewhere, fresh] = [
      net.open(),
      net.open(),
      net.open(OLD, 'reader.example'),
      net.open(NEW),
    ];
    const none = net.open();
    none.route = undefined;
    net.slots.move(leased, SlotState.leased);
    expect(net.addresses.astray(net.slots)).deep.equal([]);
    net.lead([[NEW]]);
    net.slots.move(closing, SlotState.closing);
    expect(net.addresses.astray(net.slots)).deep.equal([old, leased]);
    expect([old!, closing, elsewhere, fresh, none].map((slot) => net.addresses.isAstray(slot))).deep.equal([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
