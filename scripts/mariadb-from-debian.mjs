// A MariaDB to test with, for machines that have none.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { find, hasDebian, unpackFromDebian } from './debian-package.mjs';

const packageName = 'mariadb-server-core';

/** Failing is no error here: test/servers tells whoever needs MariaDB how to get one. */
export function ensureMariadb(target) {
  if (process.env.MYSQL_URL || isInstalled() || existsSync(join(target, 'usr/sbin/mariadbd'))) return;
  if (!hasDebian()) return;

  console.log(`ensure: no MariaDB here. Getting Debian's ${packageName} for this checkout only (8 MB)…`);
  try {
    unpackFromDebian(packageName, target);
  } catch (error) {
    console.error(`ensure: could not get it (${error.message}). What needs MariaDB will say how to get one.`);
  }
}

/** The same places as in test/servers/mariadb.ts. */
function isInstalled() {
  return ['mariadbd', 'mysqld'].some(find);
}
