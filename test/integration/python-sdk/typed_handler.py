"""A developer's own test of a handler: run, and checked by mypy --strict."""

from typing import Optional

import hearth
from hearth.testing import call


def handler(message: hearth.Message, context: hearth.Context) -> hearth.Response:
    context.logger.info("asked for %s with %d ms left", message["path"], context.remaining_ms())
    return {"statusCode": 200, "body": hearth.invoke("greeting", message["body"])}


async def talk(message: hearth.AsyncMessage) -> Optional[hearth.Response]:
    handshake = message["websocket"]
    if handshake is None:
        return {"statusCode": 200, "body": [len(piece) async for piece in message["stream"]]}
    ws = await handshake.accept()
    try:
        while True:
            data = await ws.receive()
            await ws.send(data if isinstance(data, str) else data.hex())
    except hearth.WebSocketClosed as closed:
        print("closed", closed.code + 0, closed.reason)
    return None


if __name__ == "__main__":
    answer = call(handler, {"name": "Ada"}, path="/hello", invokes={"greeting": lambda payload: "Hello " + payload["name"]})
    print(answer.status, answer.text, answer.invoked)
    answer = call(talk, websocket=["a", b"b"])
    print(answer.status, answer.messages, answer.closed)
