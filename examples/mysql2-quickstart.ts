// mysql2 on the enhanced engine, registered from outside: not a line here knows of it. Build, then:
// MYSQL_URL=mysql://… node --require ./dist/instrumentation/register.js dist/examples/mysql2-quickstart.js
// In your project: node --require opentelemetry-instrumentation-enhanced-pool/register app.js
import mysql from 'mysql2/promise';

async function main(): Promise<void> {
  const pool = mysql.createPool({
    uri: process.env.MYSQL_URL ?? 'mysql://root@127.0.0.1:3306',
    connectionLimit: 10,
    idleTimeout: 10_000,
  });

  const [rows] = await pool.query<mysql.RowDataPacket[]>('select ? as greeting', [
    'hello from a mysql2 pool',
  ]);
  console.log(rows[0]?.greeting);

  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    await connection.commit();
  } finally {
    connection.release();
  }

  // Twenty at once on ten connections: half of them wait.
  const answers = await Promise.all(Array.from({ length: 20 }, () => pool.query('select sleep(0.1)')));
  console.log(`${answers.length} queries answered`);

  await pool.end();
}

main();
