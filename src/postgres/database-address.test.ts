import { describe, expect, it } from 'vitest';
import { databaseAddress } from './database-address.ts';

describe('the address of a database', () => {
  it('has every part of the URL', () => {
    expect(databaseAddress('postgres://me:p%40ss@db.example:6432/hearth?sslmode=verify-full&sslrootcert=/ca.pem&options=-c%20a%3Db')).toEqual({
      host: 'db.example',
      port: 6432,
      user: 'me',
      password: 'p@ss',
      database: 'hearth',
      tls: 'verify-full',
      rootCertificate: '/ca.pem',
      certificate: null,
      key: null,
      options: '-c a=b',
      shown: 'db.example:6432/hearth',
    });
  });

  it('has defaults, and sockets by their folder', () => {
    expect(databaseAddress('postgresql://me@db')).toMatchObject({ port: 5432, database: 'me', tls: 'disable', password: '' });
    expect(databaseAddress('postgres://[::1]:5433/x')).toMatchObject({ host: '::1', port: 5433, user: 'postgres', shown: '[::1]:5433/x' });
    expect(databaseAddress('postgres:///x?host=/run/postgresql&user=me')).toMatchObject({ host: '/run/postgresql', user: 'me', database: 'x' });
  });

  it('trusts as libpq does', () => {
    expect(databaseAddress('postgres://db?sslmode=require').tls).toBe('require');
    expect(databaseAddress('postgres://db?sslmode=require&sslrootcert=/ca.pem').tls).toBe('verify-ca');
    expect(() => databaseAddress('postgres://db?sslmode=verify-ca')).toThrow('sslrootcert');
    // Would fall back to no encryption without a word.
    expect(() => databaseAddress('postgres://db?sslmode=prefer')).toThrow('there are disable, require, verify-ca, verify-full');
  });

  it.each([
    'mysql://me:hunter2@db/x',
    'postgres://me:hunter2@db:port/x',
    'postgres://me:hunter2@a,b/x',
    'postgres://me:hunter2%@db/x',
    'postgres://me:hunter2@db/x?sslpassword=hunter2',
    'hunter2',
  ])('does not repeat what it refuses: %s', (url) => {
    const refused = (() => {
      try {
        return databaseAddress(url);
      } catch (error) {
        return error as Error;
      }
    })();
    expect(refused).toMatchObject({ code: 'invalid_config', message: expect.stringContaining('HEARTH_DATABASE_URL') });
    expect((refused as Error).message).not.toContain('hunter2');
  });
});
