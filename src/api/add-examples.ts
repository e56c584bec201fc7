import type { Examples, OperationExamples } from './examples/operation-examples.ts';

interface MediaType {
  schema?: object;
  example?: unknown;
  examples?: Record<string, { summary: string; value: unknown }>;
}

interface Content {
  content?: Record<string, MediaType>;
}

interface Document {
  paths?: Record<string, Record<string, { requestBody?: Content; responses?: Record<string, Content> }>>;
}

/** Puts the examples of `examples/` where the OpenAPI document has a place for them. */
export function addExamples<D extends object>(document: D, all: Readonly<Record<string, OperationExamples>>): D {
  for (const [path, methods] of Object.entries((document as Document).paths ?? {})) {
    for (const [method, operation] of Object.entries(methods)) {
      const examples = all[`${method.toUpperCase()} ${path}`];
      if (examples) addTo(operation, examples);
    }
  }
  return document;
}

function addTo({ requestBody, responses }: { requestBody?: Content; responses?: Record<string, Content> }, examples: OperationExamples): void {
  const bodies = { ...(examples.body && { 'application/json': examples.body }), ...examples.bodies };
  for (const [type, given] of Object.entries(bodies)) put(requestBody?.content?.[type], given);
  // An answer has one media type.
  for (const [status, given] of Object.entries(examples.answers)) put(Object.values(responses?.[status]?.content ?? {})[0], given);
}

function put(media: MediaType | undefined, given: Examples): void {
  if (!media) return;
  media.examples = Object.fromEntries(Object.entries(given).map(([summary, value]) => [keyOf(summary), { summary, value }]));
  // The two exclude each other.
  delete media.example;
}

function keyOf(summary: string): string {
  return summary.toLowerCase().replace(/[^a-z0-9]+/g, '-');
}
