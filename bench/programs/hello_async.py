"""The same as a coroutine: one instance serves several calls at a time."""


async def handler(message, context):
    return {"hello": message["body"]["name"]}
