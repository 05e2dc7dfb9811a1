/**
 * A library's own class under an instance: the one on the prototype chain that defines `method`, however many
 * subclasses lie above it.
 * @throws {TypeError} with `complaint` when there is none.
 */
export function classDefining<Class>(instance: object, method: string, complaint: string): Class {
  let prototype = Object.getPrototypeOf(instance);
  while (prototype !== null && !Object.hasOwn(prototype, method))
    prototype = Object.getPrototypeOf(prototype);
  if (prototype === null) throw new TypeError(complaint);
  return prototype.constructor as Class;
}
