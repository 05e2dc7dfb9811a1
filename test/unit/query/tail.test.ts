import { expect } from 'chai';
import { withoutCommenterTail } from '../../../src/query/tail.js';

describe('a tail of sqlcommenter', () => {
  it('is cut off with the white space before it', () => {
    for (const tail of [
      "/*a='b'*/",
      " \n\t/*a='b',c='d'*/",
      "/*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/",
      "/*AZaz09_-.%2F=''*/",
      "/*0='x'*/",
      "/*z='x'*/",
    ]) {
      expect(withoutCommenterTail(`SELECT 1${tail}`), tail).equal('SELECT 1');
    }
    expect(withoutCommenterTail("SELECT 2 */*a='b'*/"), 'behind a star').equal('SELECT 2 *');
    expect(withoutCommenterTail(" /*a='b'*/")).equal('');
    expect(withoutCommenterTail("/*a='b'*/")).equal('');
  });

  it('is nothing that only resembles one', () => {
    for (const text of [
      'SELECT 1',
      "SELECT 1 /*a='b'*/ ",
      "SELECT 1 /*a='b'x/",
      "SELECT 1 /*a='b*/",
      "SELECT 1 /*a='b'+/",
      "xa='bbb'*/",
      "SELECT 1 /*='b'*/",
      "SELECT 1 /*a'b'*/",
      "SELECT 1 /*a=b'*/",
      "SELECT 1 /*a b='c'*/",
      "SELECT 1 /* a='b'*/",
      "SELECT 1 /*@='b'*/",
      "SELECT 1 /*{='b'*/",
      "SELECT 1 /*/='b'*/",
      "SELECT 1 /*:='b'*/",
      "SELECT 1 /*a='*/; DELETE FROM t; --'*/",
    ]) {
      expect(withoutCommenterTail(text)).equal(text);
    }
  });

  it('is no code of MySQL’s or MariaDB’s', () => {
    for (const text of ["SELECT 1 /*!a='b'*/", "SELECT 1 /*M!a='b'*/", "SELECT 1 /*!50000 a='b'*/"])
      expect(withoutCommenterTail(text)).equal(text);
  });
});
