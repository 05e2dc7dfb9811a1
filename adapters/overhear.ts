/**
 * From now on `listen` is told of every call of `owner`'s method `name`, before it runs; the call itself is as it was. An own
 * property, hidden from those who list them; what `listen` throws is its own affair.
 * @returns what ends it.
 */
export function overhear<Name extends string>(
  owner: { [name in Name]: (...given: never[]) => unknown },
  name: Name,
  listen: (...given: unknown[]) => void,
): () => void {
  const plain = owner[name] as (...given: unknown[]) => unknown;
  const wasOwn = Object.hasOwn(owner, name);
  let isOver = false;
  function overheard(this: unknown, ...given: unknown[]): unknown {
    if (!isOver) quietly(listen, given);
    return plain.apply(this, given);
  }
  Object.defineProperty(owner, name, {
    configurable: true,
    enumerable: wasOwn,
    writable: true,
    value: overheard,
  });
  return () => {
    isOver = true;
    // Another who overhears it since then keeps what it has.
    if ((owner[name] as unknown) === overheard && !wasOwn) delete (owner as Record<string, unknown>)[name];
  };
}

/** A callback that is told what the caller is told, before it is; what `listen` throws is its own affair. */
export function tapped<Done extends (...told: never[]) => unknown>(
  done: Done,
  listen: (...told: unknown[]) => void,
): Done {
  return function tap(this: unknown, ...told: unknown[]): unknown {
    quietly(listen, told);
    return (done as unknown as (...told: unknown[]) => unknown).apply(this, told);
  } as unknown as Done;
}

function quietly(listen: (...given: unknown[]) => void, given: unknown[]): void {
  try {
    listen(...given);
  } catch {
    // Whoever watches must not be noticed.
  }
}
