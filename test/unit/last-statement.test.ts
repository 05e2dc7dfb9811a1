import { expect } from 'chai';
import { lastStatementOn, rememberStatements } from '../../adapters/last-statement.js';

describe('the last statement of a connection', () => {
  it('is remembered as a text, without what was given with it', () => {
    const connection = { query: (_: unknown) => {} };
    rememberStatements(connection, ['query']);
    const command = { sql: 'SELECT ?', rows: [] };
    connection.query(command);
    command.sql = "SELECT 'secret'";
    expect(lastStatementOn(connection, 'mysql')).include({ sql: 'SELECT ?', dialect: 'mysql' });
  });
});
