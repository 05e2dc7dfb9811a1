import knex from 'knex';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { work } from './work.js';

const { APP_OTHER_PG } = process.env;
const otherPg = APP_OTHER_PG === undefined ? undefined : (await import(APP_OTHER_PG)).default;
await work({ pg, otherPg, mysql, knex: knex as never });
