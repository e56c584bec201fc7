"""The probe as a script in Python, which answers by AMQP."""

import json
import os

import pika

from common import body_of, data_of, obey, order_of, queries, surroundings

pairs = [line.split(": ", 1) for line in os.environ["HTTP_HEADER"].split("\n")]
correlation_id = next(value for name, value in pairs if name.lower() == "x-correlation-id")


def publish(body, content_type=None, headers=None):
    connection = pika.BlockingConnection(pika.ConnectionParameters(host="message_queue"))
    properties = pika.BasicProperties(content_type=content_type, headers=headers)
    connection.channel().basic_publish(exchange="", routing_key=correlation_id, body=body, properties=properties)
    connection.close()


def report():
    parsed = json.loads(os.environ["HTTP_BODY"])["body"]
    if parsed is None:
        data = b""
    elif isinstance(parsed, str):
        data = parsed.encode("utf-8", "surrogateescape")
    else:
        # A JSON body stands between `{"body": ` and `}` as it came.
        data = os.environ["HTTP_BODY"][len('{"body": ') : -1].encode()
    return {
        **surroundings(),
        "method": os.environ["HTTP_VERB"],
        "path": os.environ["HTTP_PATH"],
        "target": os.environ["HTTP_TARGET"],
        "query": os.environ["HTTP_QUERY"],
        "queries": queries(os.environ["HTTP_QUERY"]),
        "headers": pairs,
        "params": None,
        "body": body_of(data),
        "parsed": parsed if len(data) < 4096 else None,
        "deadline": None,
        "name": None,
        "secret": os.environ["API_TOKEN"],
    }


order = order_of(pairs)
obey(order)
if order["act"] == "invoke":
    import hearth

    publish(json.dumps(hearth.invoke(order["function"], order["payload"])))
elif order["act"] == "answer":
    if "value" in order:
        # Without a message the answer is a 204.
        if order["value"] is not None:
            publish(json.dumps(order["value"]))
    else:
        headers = dict(order.get("headers", []))
        publish(data_of(order), headers.pop("Content-Type", None), {**headers, "Status": str(order.get("status", 200))})
elif order["act"] == "report":
    publish(json.dumps(report()))
else:
    publish("done")
