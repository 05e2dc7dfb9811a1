/** Loads are tried in steps of a quarter, then one between the last that was carried and the first that was not. */
const STEP = 1.25;

/**
 * The highest load that is carried, from `first` on, up or down.
 * @param carriesOnce is asked twice before a load counts as too much, in case it was the machine that stood still.
 * @returns 0 where a hundredth of `first` is too much.
 */
export async function climb(first: number, carriesOnce: (load: number) => Promise<boolean>): Promise<number> {
  const carries = async (load: number) => (await carriesOnce(load)) || (await carriesOnce(load));
  let carried = first;
  if (await carries(carried)) {
    while (await carries(carried * STEP)) carried *= STEP;
  } else {
    do carried /= STEP;
    while (carried > first / 100 && !(await carries(carried)));
    if (carried <= first / 100) return 0;
  }
  const between = carried * Math.sqrt(STEP);
  return (await carries(between)) ? between : carried;
}
