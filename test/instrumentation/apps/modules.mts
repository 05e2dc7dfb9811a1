import knex from 'knex';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { work } from './work.js';

await work({ pg, mysql, knex: knex as never });
