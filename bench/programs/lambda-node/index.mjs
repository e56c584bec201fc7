/** The handler under AWS's runtime client for Node.js that is measured. */
export const handler = async (event) => ({ hello: JSON.parse(event.body).name });
