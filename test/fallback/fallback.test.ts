import { expect } from 'chai';
import type { Host, PoolControl } from '../../adapters/host.js';
import type { Pool } from '../../src/index.js';
import { Slots } from '../../src/slots.js';
import { hostOf } from '../contract/hosts.js';
import { type Databases, startDatabases } from '../servers/index.js';
import { MAX, SUBJECTS, type Subject, unloadLibraries } from '../subjects.js';

const FEW_OPERATIONS = 2_500;
const MANY_OPERATIONS = 10_000;

let control: PoolControl | undefined;
let engine: Pool<unknown> | undefined;
let fallen: string[];
let closed: number;

const host: Host = {
  ...hostOf({}),
  adopted: (_info, adopted, given) => {
    engine = adopted;
    control = given;
  },
  fellBack: (_info, reason) => fallen.push(reason),
  closed: () => {
    closed += 1;
  },
};

describe('falling back to the stock pool', function () {
  this.timeout(120_000);
  let databases: Databases<'postgres' | 'mysql'>;

  before(async () => {
    databases = await startDatabases({ postgres: true, mysql: true });
  });
  after(() => databases?.stop());
  beforeEach(() => {
    unloadLibraries();
    control = undefined;
    engine = undefined;
    fallen = [];
    closed = 0;
  });

  for (const [name, openWith] of Object.entries(SUBJECTS)) {
    describe(`of ${name}`, () => {
      const open = (on: typeof databases) => openWith(on, host);

      /** Many operations at once, with `midway` in the midst of them. Every answer must be that to its question. */
      async function rush(subject: Subject, many: number, midway: () => void): Promise<void> {
        let done = 0;
        const operations = Array.from({ length: many }, async (_, token) => {
          const answer = await (token % 5 === 0 ? subject.borrow(token) : subject.query(token));
          done += 1;
          if (done === many / 5) midway();
          return answer;
        });
        const answers = await Promise.all(operations);
        expect(answers).deep.equal(Array.from({ length: many }, (_, token) => token));
      }

      it('on demand loses no caller and no connection, and stock serves from then on', async () => {
        const subject = open(databases);
        await rush(subject, FEW_OPERATIONS, () => control!.fallBack('the test says so'));
        expect(fallen).deep.equal(['the test says so']);
        expect(engine!.stats()).include({ open: 0, leased: 0, waiting: 0 });
        expect(closed).equal(1);
        expect(subject.counted()).within(1, MAX);
        expect(await subject.query(7)).equal(7);
        await subject.end();
      });

      it('after a fault of the engine loses no caller and no connection, and stock serves from then on', async () => {
        const subject = open(databases);
        const { move } = Slots.prototype;
        await rush(subject, MANY_OPERATIONS, () => {
          Slots.prototype.move = function sabotaged() {
            Slots.prototype.move = move;
            throw new Error('bug: sabotage');
          };
        });
        expect(fallen).deep.equal(['the engine failed: bug: sabotage']);
        expect(engine!.stats()).include({ leased: 0, waiting: 0 });
        expect(await subject.query(7)).equal(7);
        await subject.end();
      });

      it('leaves a pool that was never used alone until it is', async () => {
        const subject = open(databases);
        expect(await subject.borrow(1)).equal(1);
        control!.fallBack('early');
        control!.fallBack('again');
        expect(fallen).deep.equal(['early']);
        expect(await subject.borrow(2)).equal(2);
        await subject.end();
      });
    });
  }
});
