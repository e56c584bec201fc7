/// <reference types="node" />

/** Apart from the other types, one of which is called Response too. */
export type FetchHandler<Context> = (request: Request, context: Context) => Response | Promise<Response>;
