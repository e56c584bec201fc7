"""The probe under awslambdaric, AWS's own runtime client for Python."""

import base64
import os
import time

from common import body_of, data_of, grouped, obey, order_of, surroundings


def handler(event, context):
    order = order_of(event["headers"].items())
    obey(order)
    if order["act"] == "answer":
        if "value" in order:
            return order["value"]
        headers = grouped(order.get("headers", []))
        answer = {
            "statusCode": order.get("status", 200),
            "cookies": headers.pop("Set-Cookie", []),
            "headers": {name: ", ".join(values) for name, values in headers.items()},
        }
        if "base64" in order:
            return {**answer, "body": order["base64"], "isBase64Encoded": True}
        return {**answer, "body": data_of(order).decode()}
    if order["act"] != "report":
        return "done"
    text = event.get("body") or ""
    return {
        **surroundings(),
        "event": {**event, "body": None},
        "body": body_of(base64.b64decode(text) if event["isBase64Encoded"] else text.encode()),
        "deadline": context.get_remaining_time_in_millis() + time.time() * 1000,
        "name": context.function_name,
        "version": context.function_version,
        "id": context.aws_request_id,
        "secret": os.environ["API_TOKEN"],
    }
