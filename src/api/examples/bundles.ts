import { HASH, type OperationExamples } from './operation-examples.ts';

export const BUNDLES: Readonly<Record<string, OperationExamples>> = {
  'POST /bundles': { answers: { 201: { 'Two files': { bundle: HASH, files: 2, bytes: 1834 } } } },
  'GET /bundles/{hash}': {
    answers: {
      200: {
        'Two files': {
          bundle: HASH,
          bytes: 1834,
          files: [
            { path: 'main.py', size: 1790, executable: false, sha256: '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae' },
            { path: 'prices.csv', size: 44, executable: false, sha256: 'fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9' },
          ],
        },
      },
    },
  },
  'GET /functions/{function_name}/versions/{number}/bundle': { answers: {} },
};
