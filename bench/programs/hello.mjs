/** The handler in Node.js that is measured. */
export const handler = async (message) => ({ hello: message.body.name });
