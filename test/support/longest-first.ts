import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take far longer than their size tells, the longest first: begun last, as the smallest are, one of them would leave the other cores idle at the
 * end. Of those that need the image of Debian, one comes well before the others, which find it made.
 */
const LONGEST = [
  'docker/with-services',
  'packaging/install',
  'gallery/gallery',
  'layers/sandboxed',
  'docker/platform',
  'deploy/container',
  'hostile/soak',
  'hostile/deadlines',
  'hostile/calls',
  'hostile/exhaustion',
  'hostile/registration',
  'hostile/processes',
].map((name) => `/${name}.test.ts`);

/** Where nobody knows how long files took the last time, as on a clean checkout, size decides about the others. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((end) => moduleId.endsWith(end));
      return index < 0 ? LONGEST.length : index;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}
