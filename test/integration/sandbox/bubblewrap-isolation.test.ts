import { createBubblewrapDriver } from '../../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import { isolationSuite } from './isolation-suite.ts';
import { driverOptions } from './support.ts';

isolationSuite('bubblewrap', () => ({ driver: createBubblewrapDriver(driverOptions()), prepare: async () => undefined }));
