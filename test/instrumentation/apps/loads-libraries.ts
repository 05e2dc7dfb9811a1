// Preloaded ahead of the instrumentation, as an application's bootstrap sometimes is.
import 'pg';
import 'mysql2';
import 'knex';
