/** A wrapper as OpenTelemetry's shimmer leaves it. */
interface Wrapper {
  readonly __wrapped?: unknown;
  readonly __original?: unknown;
}

const tracers = new WeakMap<object, boolean>();

/**
 * Whether all that stands between `connect` and `inner`, or stock's own, is OpenTelemetry's instrumentation of pg-pool: it tells of the call and does
 * nothing with the client. Of others nobody knows what they ask of it.
 */
export function onlyTells(connect: unknown, inner?: unknown): boolean {
  let at = connect;
  while (at !== inner && isTracer(at)) at = (at as Wrapper).__original;
  return at === inner || (inner === undefined && isStock(at));
}

function isTracer(connect: unknown): boolean {
  if (typeof connect !== 'function') return false;
  let tracer = tracers.get(connect);
  if (tracer === undefined) {
    const { __wrapped: wrapped, __original: original } = connect as Wrapper;
    const source = String(connect);
    tracer =
      wrapped === true &&
      typeof original === 'function' &&
      /pg-pool\.connect|POOL_CONNECT/.test(source) &&
      source.includes('originalConnect.call(this, callback)');
    tracers.set(connect, tracer);
  }
  return tracer;
}

/** Whether it is pg-pool's own, as it comes. */
export function isStock(connect: unknown): boolean {
  return String(connect).includes('.newClient(');
}
