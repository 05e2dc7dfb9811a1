import knex from 'knex';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { work } from './work.js';

work({ pg, mysql, knex });
