/** The function of the Web standard that is measured. */
export default {
  async fetch(request) {
    const { name } = await request.json();
    return Response.json({ hello: name });
  },
};
