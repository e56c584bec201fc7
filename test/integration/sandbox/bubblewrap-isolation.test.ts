import { createBubblewrapDriver } from '../../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import { hardeningSuite } from './hardening-suite.ts';
import { type DriverUnderTest, isolationSuite } from './isolation-suite.ts';
import { driverOptions } from './support.ts';

const plain = (): DriverUnderTest => ({ driver: createBubblewrapDriver(driverOptions()), prepare: async () => undefined });

isolationSuite('bubblewrap', plain);
hardeningSuite('bubblewrap', plain);
