"""A developer's own test of a handler: run, and checked by mypy --strict."""

import hearth
from hearth.testing import call


def handler(message: hearth.Message, context: hearth.Context) -> hearth.Response:
    context.logger.info("asked for %s with %d ms left", message["path"], context.remaining_ms())
    return {"statusCode": 200, "body": hearth.invoke("greeting", message["body"])}


if __name__ == "__main__":
    answer = call(handler, {"name": "Ada"}, path="/hello", invokes={"greeting": lambda payload: "Hello " + payload["name"]})
    print(answer.status, answer.text, answer.invoked)
