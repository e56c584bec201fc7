"""The handler that is measured: under Hearth as it stands here, under uvicorn through hello_asgi.py."""


def handler(message, context):
    return {"hello": message["body"]["name"]}
