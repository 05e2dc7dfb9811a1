import { expect } from 'chai';
import { QueryProfile, QueryProfiles } from '../../../src/query/profiles.js';
import { TrackRecord } from '../../../src/selection/track-record.js';

const profiles = new QueryProfiles();
const READ = profiles.of('SELECT a FROM t WHERE id = 1', 'postgresql');
for (let run = 0; run < 20; run += 1) READ.learn(2, 'ok');
const WRITE = profiles.of('UPDATE t SET a = 1', 'postgresql');

/** A record of `leases` reads that took so many times the usual 2 ms. */
function taught(ratio: number, leases = 20, now = 0): TrackRecord {
  const track = new TrackRecord();
  for (let lease = 0; lease < leases; lease += 1) track.learn(READ, 2 * ratio, 'ok', now);
  return track;
}

describe('the record of a connection', () => {
  it('counts by kind of query, and tells the share that succeeded', () => {
    const track = new TrackRecord();
    track.learn(READ, 2, 'ok', 0);
    track.learn(READ, 4, 'failed', 0);
    track.learn(WRITE, 6, 'ok', 0);
    track.learn(profiles.session, 30, 'ok', 0);
    track.learn(undefined, 8, 'broken', 0);
    const { timed, failures, meanHeldMs, kinds } = track.report(0);
    expect({ timed, failures, meanHeldMs }).deep.equal({ timed: 5, failures: 2, meanHeldMs: 10 });
    expect(kinds).deep.equal({
      read: { count: 2, failures: 1, totalMs: 6, successRate: 0.5 },
      write: { count: 1, failures: 0, totalMs: 6, successRate: 1 },
      session: { count: 1, failures: 0, totalMs: 30, successRate: 1 },
      unknown: { count: 1, failures: 1, totalMs: 8, successRate: 0 },
    });
  });

  it('counts as unknown what no text tells, or a text that may do anything', () => {
    const track = new TrackRecord();
    track.learn(profiles.ofType('report'), 1, 'ok', 0);
    track.learn(profiles.of('SELECT f()', 'postgresql'), 2, 'ok', 0);
    expect(track.report(0).kinds).deep.equal({
      unknown: { count: 2, failures: 0, totalMs: 3, successRate: 1 },
    });
  });

  it('averages the waits of those it was given to', () => {
    const track = new TrackRecord();
    track.waited(0);
    track.waited(10);
    expect(track.report(0).meanWaitedMs).equal(5);
    track.waited(50);
    expect(track.report(0).meanWaitedMs).equal(20);
  });

  it('blames the connection for what its queries take longer, not for what they are', () => {
    const long = profiles.of('SELECT sum(a) FROM t', 'postgresql');
    const track = new TrackRecord();
    for (let run = 0; run < 40; run += 1) {
      track.learn(long, 500, 'ok', 0);
      long.learn(500, 'ok');
    }
    expect(track.slowness(0)).closeTo(1, 1e-9);
    expect(track.efficiency(0)).closeTo(1, 1e-9);
    expect(taught(3).slowness(0)).closeTo(3, 0.01);
    expect(taught(3).excessMs({ typicalMs: 10 }, 0)).closeTo(20, 0.1);
    expect(taught(3).efficiency(0)).closeTo(1 / 3, 0.01);
  });

  it('calls nobody slow after a few leases, or for less than half as long again', () => {
    expect(taught(3, 9).excessMs({ typicalMs: 10 }, 0)).equal(0);
    expect(taught(1.4).excessMs({ typicalMs: 10 }, 0)).equal(0);
    expect(taught(0.5).efficiency(0), 'faster is no better than efficient').equal(1);
  });

  it('does not compare with a query that has hardly run, or with one that failed', () => {
    const track = new TrackRecord();
    const fresh = new QueryProfile('fresh', 'postgresql', READ.classification);
    for (let run = 0; run < 9; run += 1) fresh.learn(1, 'ok');
    for (let lease = 0; lease < 30; lease += 1) {
      track.learn(fresh, 100, 'ok', 0);
      track.learn(READ, 100, 'failed', 0);
    }
    expect(track.slowness(0)).equal(1);
    expect(track.report(0).failureRate).closeTo(0.5, 0.05);
  });

  it('does not compare sessions, which are of all kinds', () => {
    const { session } = new QueryProfiles();
    const track = new TrackRecord();
    for (let run = 0; run < 20; run += 1) session.learn(1, 'ok');
    for (let lease = 0; lease < 20; lease += 1) track.learn(session, 100, 'ok', 0);
    expect(track.slowness(0)).equal(1);
  });

  it('takes the geometric mean of what it compared, of which it has forgotten some', () => {
    const track = new TrackRecord();
    for (const ratio of [1, 4, 1, 4, 1, 4, 1, 4, 1, 4]) track.learn(READ, 2 * ratio, 'ok', 0);
    expect(track.slowness(0)).closeTo(2, 1e-9);
    const later = taught(4);
    later.learn(READ, 8, 'ok', 10_000);
    expect(later.slowness(10_000)).closeTo(2 * 2 ** (1 / 20), 1e-9);
  });

  it('forgets a slowness by half in ten seconds', () => {
    const track = taught(4);
    expect(track.slowness(10_000)).closeTo(2, 0.01);
    expect(track.slowness(120_000)).closeTo(1, 0.01);
  });

  it('judges from ten leases on, by queries that have run ten times', () => {
    expect([taught(3, 9).slowness(0), taught(3, 10).slowness(0)].map(Math.round)).deep.equal([1, 3]);
    const known = new QueryProfile('known', 'postgresql', READ.classification);
    for (let run = 0; run < 10; run += 1) known.learn(2, 'ok');
    const track = new TrackRecord();
    for (let lease = 0; lease < 10; lease += 1) track.learn(known, 6, 'ok', 0);
    expect(track.slowness(0)).closeTo(3, 0.01);
  });

  it('seems slow where it is by half as much again, and proves it by thirty leases', () => {
    expect([1, 1.4, 1.6].map((ratio) => taught(ratio).seemsSlow)).deep.equal([false, false, true]);
    expect([29, 30].map((leases) => taught(3, leases).isProvenSlow)).deep.equal([false, true]);
    expect(taught(1.4, 40).isProvenSlow).equal(false);
  });

  it('costs nothing where the query is not known, or the slowness has faded', () => {
    expect(taught(3).excessMs(undefined, 0)).equal(0);
    expect(taught(3).excessMs({ typicalMs: 10 }, 20_000), '1.3 times').equal(0);
    expect(taught(3).excessMs({ typicalMs: 10 }, 10_000)).closeTo(10 * (Math.sqrt(3) - 1), 0.1);
  });

  it('loses what failed of its efficiency', () => {
    const track = new TrackRecord();
    for (const outcome of ['ok', 'ok', 'ok', 'failed'] as const) track.learn(READ, 2, outcome, 0);
    expect(track.efficiency(0)).equal(0.75);
    expect(track.report(0)).include({ slowness: 1, efficiency: 0.75 });
    expect(Object.keys(track.report(0).kinds)).deep.equal(['read']);
  });
});
