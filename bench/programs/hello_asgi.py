"""hello.py's handler as a plain ASGI application, with no framework: what uvicorn alone costs."""

import json

from hello import handler

HEADERS = [(b"content-type", b"application/json")]


async def app(scope, receive, send):
    assert scope["type"] == "http"
    pieces = []
    while True:
        event = await receive()
        pieces.append(event.get("body", b""))
        if not event.get("more_body"):
            break
    body = json.dumps(handler({"body": json.loads(b"".join(pieces))}, None)).encode()
    headers = HEADERS + [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
