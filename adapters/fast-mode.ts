/**
 * V8 makes a dictionary of an object whose properties become accessors, and from then on inlines none of its methods. It takes that
 * back when a property is given to an heir of the object.
 */
export function intoFastMode(object: object): void {
  const heir = Object.create(object) as { own?: boolean };
  heir.own = true;
}
