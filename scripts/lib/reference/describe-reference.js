import { ConfigSchema } from '../../../src/config.ts';
import { Project } from '../../../src/schemas/project.ts';
import { readOpenApi } from '../read-openapi.js';
import { describeApi } from './describe-api.js';
import { describeCommands } from './describe-commands.js';
import { describeConfiguration } from './describe-configuration.js';
import { describeDefinition } from './describe-definition.js';

/** @returns the texts of the files in docs/reference, by name */
export async function describeReference() {
  return {
    'api.md': describeApi(await readOpenApi()),
    'definition.md': describeDefinition(Project),
    'configuration.md': describeConfiguration(ConfigSchema),
    'cli.md': describeCommands(),
  };
}
