import type { Driver } from '../src/index.js';

/** What a pool does on its own account, though a caller may have caused it. */
export type BackgroundWork = 'open' | 'check' | 'warm' | 'reset' | 'close';

/** Runs `work` at once and returns what it returns. */
export type Background = <T>(what: BackgroundWork, work: () => T) => T;

type Method = (...given: unknown[]) => unknown;

/** The methods of a driver that take time. */
const WORK: Readonly<Partial<Record<keyof Driver<unknown>, BackgroundWork>>> = {
  open: 'open',
  check: 'check',
  findDead: 'check',
  lookUp: 'check',
  reset: 'reset',
  close: 'close',
};

/** The same driver, doing through `background` all that takes time, but for `warm`: `warmUpOf` sees to that. */
export function inBackground<C>(driver: Driver<C>, background: Background | undefined): Driver<C> {
  if (background === undefined) return driver;
  const methods: Record<string, Method> = {};
  for (const name of methodsOf(driver)) {
    const method = (driver as unknown as Record<string, Method>)[name]!.bind(driver);
    const what = WORK[name as keyof Driver<unknown>];
    methods[name] = what === undefined ? method : (...given) => background(what, () => method(...given));
  }
  return methods as unknown as Driver<C>;
}

/** The names of an object's own methods and of those of its classes. */
function methodsOf(object: object): Set<string> {
  const names = new Set<string>();
  for (let owner = object; owner !== Object.prototype; owner = Object.getPrototypeOf(owner)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(owner)))
      if (name !== 'constructor' && typeof value === 'function') names.add(name);
  }
  return names;
}
