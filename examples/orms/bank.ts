// The small bank that every file of this folder keeps with another ORM, and a busy day of it.

/** What an ORM has to do for it. */
export interface Bank {
  /** Creates the tables, with the ORM's own migrations where it has them. */
  migrate(): Promise<void>;
  /** Fails if the owner has an account. */
  openAccount(owner: string, balance: number): Promise<void>;
  balanceOf(owner: string): Promise<number>;
  deposit(owner: string, amount: number): Promise<void>;
  /** One transaction; an overdraft rolls it back. */
  transfer(from: string, to: string, amount: number): Promise<void>;
  countTransfers(): Promise<number>;
  totalBalance(): Promise<number>;
  /** Closes the pool: nothing may keep the process alive afterwards. */
  close(): Promise<void>;
}

/** Every bank lets its pool have so many connections… */
export const MAX_CONNECTIONS = 5;
/** …and is asked for so much at once. */
const CONCURRENCY = 40;
const REQUESTS = 1_000;
const OWNERS = Array.from({ length: 20 }, (_, index) => `owner ${index}`);

/** A day from the first migration to the last connection closed. Its account is the last line of the output. */
export async function runDay(bank: Bank): Promise<void> {
  await bank.migrate();
  for (const owner of OWNERS) await bank.openAccount(owner, 1_000);

  await bank.transfer(OWNERS[0]!, OWNERS[1]!, 300);
  const overdraft = await failureOf(bank.transfer(OWNERS[0]!, OWNERS[1]!, 5_000));
  const morning = [await bank.balanceOf(OWNERS[0]!), await bank.balanceOf(OWNERS[1]!)];

  const served = await inParallel(REQUESTS, CONCURRENCY, (index) => serve(bank, index));
  const duplicate = await failureOf(bank.openAccount(OWNERS[0]!, 1));

  const balances = await Promise.all(OWNERS.map((owner) => bank.balanceOf(owner)));
  const transfers = await bank.countTransfers();
  const total = await bank.totalBalance();
  await bank.close();
  console.log(JSON.stringify({ morning, overdraft, served, duplicate, balances, transfers, total }));
}

/** Half of the requests read. Transfers lock in the order of the owners, so that none ends in a deadlock. */
async function serve(bank: Bank, index: number): Promise<string> {
  const position = index % (OWNERS.length - 1);
  const owner = OWNERS[position]!;
  const next = OWNERS[position + 1]!;
  switch (index % 10) {
    case 0:
    case 1:
      await bank.deposit(owner, index);
      return 'deposit';
    case 2:
    case 3:
      await bank.transfer(owner, next, 1);
      return 'transfer';
    case 4:
      return `overdraft: ${(await failureOf(bank.transfer(owner, next, 10_000_000))).name}`;
    case 5:
      return (await bank.totalBalance()) > 0 ? 'sum' : 'a wrong sum';
    default:
      return Number.isInteger(await bank.balanceOf(owner)) ? 'balance' : 'a wrong balance';
  }
}

/** Runs `work` `times` times, `concurrency` at once, and counts what came of it. */
export async function inParallel(
  times: number,
  concurrency: number,
  work: (index: number) => Promise<string>,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  let next = 0;
  const worker = async () => {
    while (next < times) {
      const outcome = await work(next++);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return Object.fromEntries(Object.entries(counts).sort());
}

/** How `work` failed, as far as it must be the same whenever the application runs. */
export async function failureOf(work: Promise<unknown>): Promise<{ name: string; message: string }> {
  try {
    await work;
  } catch (error) {
    const { name, message } = error as Error;
    return { name, message };
  }
  throw new Error('this should have failed');
}
