import type { FlagStage, FleetState } from '../../src/index.js';
import { QUERY_KINDS } from '../../src/query/profiles.js';
import { BUILT_OPTIMIZATIONS } from '../../src/rollout/flags.js';
import { PASSED_OVER_REASONS } from '../../src/selection/cheapest.js';
import { QUERY_MIXES } from '../../src/sizing/query-mix.js';
import { WORKLOADS, type WorkloadChange } from '../../src/sizing/workload.js';
import { newCounters } from '../../src/stats.js';
import type { Mode } from '../types.js';
import {
  ATTR_CONNECTION_STATE,
  ATTR_DB_NAMESPACE,
  ATTR_DB_QUERY_SUMMARY,
  ATTR_DB_RESPONSE_STATUS_CODE,
  ATTR_DB_SYSTEM_NAME,
  ATTR_ERROR_TYPE,
  ATTR_POOL_NAME,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
} from './semconv.js';

export const ATTR_ACQUIRE_OUTCOME = 'enhanced_pool.acquire.outcome';
export const ATTR_WAITED_MS = 'enhanced_pool.acquire.waited_ms';
export const ATTR_QUEUE_POSITION = 'enhanced_pool.acquire.queue_position';
export const ATTR_CIRCUIT_FROM = 'enhanced_pool.circuit.from_state';
export const ATTR_CIRCUIT_STATE = 'enhanced_pool.circuit.state';
export const ATTR_CLOSE_REASON = 'enhanced_pool.connection.close_reason';
export const ATTR_CONNECTION_ID = 'enhanced_pool.connection.id';
export const ATTR_HELD_MS = 'enhanced_pool.lease.held_ms';
export const ATTR_NESTED_HELD = 'enhanced_pool.acquire.nested_held';
export const ATTR_NESTED_WAITING = 'enhanced_pool.acquire.nested_waiting';
export const ATTR_STUCK_MS = 'enhanced_pool.acquire.stuck_ms';
export const ATTR_FLEET_STATE = 'enhanced_pool.fleet.state';
export const ATTR_DECISION_CHOSEN = 'enhanced_pool.decision.chosen';
export const ATTR_DECISION_REASON = 'enhanced_pool.decision.reason';
export const ATTR_DECISION_RUNNER_UP = 'enhanced_pool.decision.runner_up';
export const ATTR_CHECKS = 'enhanced_pool.health_check.connections';
export const ATTR_CHECKS_FAILED = 'enhanced_pool.health_check.failed';
export const ATTR_CHECK_KIND = 'enhanced_pool.health_check.kind';
export const ATTR_CHECK_OUTCOME = 'enhanced_pool.health_check.outcome';
export const ATTR_CHECK_TOOK_MS = 'enhanced_pool.health_check.took_ms';
export const ATTR_OPTIMIZATION = 'enhanced_pool.optimization.name';
export const ATTR_OPTIMIZATION_STAGE = 'enhanced_pool.optimization.stage';
export const ATTR_OPTIMIZATION_FROM = 'enhanced_pool.optimization.from_stage';
export const ATTR_MODE = 'enhanced_pool.mode';
export const ATTR_PASSED_OVER_REASON = 'enhanced_pool.selection.reason';
export const ATTR_QUERY_FINGERPRINT = 'enhanced_pool.query.fingerprint';
export const ATTR_QUERY_KIND = 'enhanced_pool.query.kind';
export const ATTR_QUERY_TYPE = 'enhanced_pool.query.type';
export const ATTR_LIMIT_FROM = 'enhanced_pool.limit.from';
export const ATTR_LIMIT_TO = 'enhanced_pool.limit.to';
export const ATTR_SERVER_FROM = 'enhanced_pool.server.from_addresses';
export const ATTR_SERVER_TO = 'enhanced_pool.server.addresses';
export const ATTR_STATEMENT_ACTION = 'enhanced_pool.statement.action';
export const ATTR_WORKLOAD = 'enhanced_pool.workload';
export const ATTR_WORKLOAD_MIX = 'enhanced_pool.workload.mix';
export const ATTR_WORKLOAD_AXIS = 'enhanced_pool.workload.axis';
export const ATTR_WORKLOAD_FROM = 'enhanced_pool.workload.from';
export const ATTR_WORKLOAD_TO = 'enhanced_pool.workload.to';

/** One attribute: which values it may have, and what they mean. */
export interface AttributeRow {
  /** All values, where they are few and known. Only such an attribute sets series of a metric apart. */
  readonly values?: readonly string[];
  /** What it may be otherwise. */
  readonly type?: 'string' | 'int' | 'double';
  readonly meaning: string;
}

const LOADS: readonly string[] = [...WORKLOADS, ...QUERY_MIXES];
const STAGES: readonly FlagStage[] = ['off', 'shadow', 'on', 'trial', 'accepted', 'reverted', 'given_up'];

const CIRCUIT_STATES = Object.keys(newCounters().circuit);

/** Every attribute that any of our signals carries, but for those that applications add themselves. */
export const ATTRIBUTES: Readonly<Record<string, AttributeRow>> = {
  [ATTR_POOL_NAME]: { type: 'string', meaning: 'the name of the pool' },
  [ATTR_DB_SYSTEM_NAME]: { type: 'string', meaning: 'the database product' },
  [ATTR_DB_NAMESPACE]: { type: 'string', meaning: 'the database' },
  [ATTR_SERVER_ADDRESS]: { type: 'string', meaning: 'the database server, or its socket' },
  [ATTR_SERVER_PORT]: { type: 'int', meaning: 'its port' },
  [ATTR_DB_QUERY_SUMMARY]: { type: 'string', meaning: 'verbs and tables of the query, without any literal' },
  [ATTR_DB_RESPONSE_STATUS_CODE]: { type: 'string', meaning: 'the server’s own code of an error' },
  [ATTR_CONNECTION_STATE]: { values: ['idle', 'used'], meaning: 'what a connection does' },
  [ATTR_ERROR_TYPE]: { type: 'string', meaning: 'the code or the class of an error, never its message' },
  [ATTR_ACQUIRE_OUTCOME]: {
    values: ['immediate', 'waited', 'timeout', 'aborted', 'rejected', 'open_failed'],
    meaning: 'how an acquire ended',
  },
  [ATTR_WAITED_MS]: { type: 'double', meaning: 'how long the caller waited for a connection' },
  [ATTR_QUEUE_POSITION]: {
    type: 'int',
    meaning: 'the caller’s place in the queue when it joined; 1 is the head',
  },
  [ATTR_CLOSE_REASON]: { values: Object.keys(newCounters().closed), meaning: 'why a connection was closed' },
  [ATTR_CIRCUIT_STATE]: { values: CIRCUIT_STATES, meaning: 'how far the pool trusts its server' },
  [ATTR_CIRCUIT_FROM]: { values: CIRCUIT_STATES, meaning: 'how far it did before' },
  [ATTR_CONNECTION_ID]: { type: 'int', meaning: 'a number of the connection, its own within the pool' },
  [ATTR_HELD_MS]: { type: 'double', meaning: 'how long a lease had been held' },
  [ATTR_QUERY_FINGERPRINT]: {
    type: 'string',
    meaning:
      'a key of the statement that ran last, the same whatever its literals; `session` where that is not known',
  },
  [ATTR_NESTED_HELD]: { type: 'int', meaning: 'how many connections are held by those who wait for another' },
  [ATTR_NESTED_WAITING]: { type: 'int', meaning: 'how many callers wait who hold a connection' },
  [ATTR_STUCK_MS]: { type: 'double', meaning: 'for how long nothing had happened on any connection' },
  [ATTR_DECISION_CHOSEN]: {
    values: [
      'idle_connection',
      'checked_connection',
      'released_connection',
      'opened_connection',
      'shared_connection',
      'open',
      'check',
      'refuse',
      'give_up',
    ],
    meaning: 'what the pool did',
  },
  [ATTR_DECISION_REASON]: { type: 'string', meaning: 'why, in words' },
  [ATTR_DECISION_RUNNER_UP]: {
    values: [
      'released_connection',
      'opened_connection',
      'newest_idle_connection',
      'open_when_asked',
      'check_when_asked',
      'wait_on',
    ],
    meaning: 'what it would have done otherwise',
  },
  [ATTR_CHECKS]: { type: 'int', meaning: 'how many connections were checked' },
  [ATTR_CHECKS_FAILED]: { type: 'int', meaning: 'how many of them did not answer, or not well' },
  [ATTR_CHECK_TOOK_MS]: { type: 'double', meaning: 'how long the check took' },
  [ATTR_CHECK_KIND]: {
    values: ['check', 'reset', 'warm'],
    meaning:
      'whether a connection was proven alive, cleaned of what its last holder left, or made ready while nobody waited for it',
  },
  [ATTR_CHECK_OUTCOME]: { values: ['ok', 'failed', 'timeout'], meaning: 'what the check found' },
  [ATTR_OPTIMIZATION]: { values: BUILT_OPTIMIZATIONS, meaning: 'an optimisation, by its flag' },
  [ATTR_OPTIMIZATION_STAGE]: { values: STAGES, meaning: 'the stage it is in' },
  [ATTR_OPTIMIZATION_FROM]: { values: STAGES, meaning: 'the stage it was in' },
  [ATTR_MODE]: {
    values: ['enhance', 'observe'] satisfies Mode[],
    meaning: 'whether a pool runs on the engine, or is stock and watched',
  },
  [ATTR_FLEET_STATE]: {
    values: ['starting', 'leased', 'away', 'static'] satisfies FleetState[],
    meaning:
      'how a pool comes by its share of a budget: not yet, by a lease, without one because it cannot be renewed, or by an equal part',
  },
  [ATTR_PASSED_OVER_REASON]: {
    values: PASSED_OVER_REASONS,
    meaning: 'what made the newest idle connection dearer than the one that was taken',
  },
  [ATTR_QUERY_KIND]: {
    values: QUERY_KINDS,
    meaning: 'the kind of query, by its first word; `session` where several statements or none are known',
  },
  [ATTR_QUERY_TYPE]: { type: 'string', meaning: '`queryType` of the caller’s hint' },
  [ATTR_LIMIT_FROM]: { type: 'int', meaning: 'the most connections before' },
  [ATTR_LIMIT_TO]: { type: 'int', meaning: 'the most connections from now on' },
  [ATTR_SERVER_FROM]: { type: 'string', meaning: 'addresses that the server’s name no longer stands for' },
  [ATTR_SERVER_TO]: { type: 'string', meaning: 'the addresses that it stands for now' },
  [ATTR_STATEMENT_ACTION]: {
    values: [
      'prepared_hit',
      'prepared',
      'prepared_ahead',
      'deallocated',
      'unprepared',
      'redispatched',
      'moved_out',
    ],
    meaning:
      'run under a name that we gave; a name given, of which on a connection that was yet to be leased, taken back, or given up because it cost more; sent once more, unseen; moved out of shared connections',
  },
  [ATTR_WORKLOAD]: { values: WORKLOADS, meaning: 'what the load is like' },
  [ATTR_WORKLOAD_MIX]: { values: QUERY_MIXES, meaning: 'how long its queries hold their connections' },
  [ATTR_WORKLOAD_AXIS]: {
    values: ['shape', 'mix'] satisfies WorkloadChange['axis'][],
    meaning: 'how callers come, or how long they hold their connections',
  },
  [ATTR_WORKLOAD_FROM]: { values: LOADS, meaning: 'what the load was like' },
  [ATTR_WORKLOAD_TO]: { values: LOADS, meaning: 'what it is like now' },
};

/** Every signal of a pool carries those of these that are known. */
export const IDENTITY = [
  ATTR_POOL_NAME,
  ATTR_DB_SYSTEM_NAME,
  ATTR_DB_NAMESPACE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
] as const;
