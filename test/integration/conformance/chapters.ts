import type { Chapter } from './case.ts';
import { answers } from './cases/answers.ts';
import { bodies } from './cases/bodies.ts';
import { failures } from './cases/failures.ts';
import { request } from './cases/request.ts';
import { surroundings } from './cases/surroundings.ts';

export const CHAPTERS: readonly Chapter[] = [request, bodies, surroundings, answers, failures];
