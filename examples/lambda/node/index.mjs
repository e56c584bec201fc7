/** Runs under aws-lambda-ric, AWS's own runtime client for Node.js. */
export const handler = async (request, context) => {
  if (request.queryStringParameters?.fail) throw new Error('asked to fail');
  return {
    statusCode: 200,
    headers: { 'Content-Type': 'application/json' },
    cookies: ['a=1', 'b=2'],
    body: JSON.stringify({
      runtime: 'node',
      method: request.requestContext.http.method,
      path: request.rawPath,
      query: request.queryStringParameters,
      body: request.body,
      id: context.awsRequestId,
    }),
  };
};
