"""Writes the bill for each order that comes by the queue `orders`."""

# Cents: sums of binary fractions are not exact.
PRICES = {"apple": 30, "pear": 45}


def handler(message, context):
    order = message["body"]
    if not is_order(order):
        # It would be no better the next time. A status below 500 is an outcome like others: the message is done with, and the sender is told.
        return {"statusCode": 422, "body": {"error": "an order is {\"item\": text, \"count\": 1 to 1000}"}}
    # An exception is a failure: the message is tried again, for there may be a price by then, and is a dead letter at last.
    cents = PRICES[order["item"]] * order["count"]
    # A message may come twice, when the platform or the broker dies amid one. Who has written to a database here looks up this id in it first.
    context.logger.info("order %s: %d cents", message["headers"].get("X-Amqp-Message-Id"), cents)
    return {"item": order["item"], "count": order["count"], "cents": cents}


def is_order(order):
    if not isinstance(order, dict) or not isinstance(order.get("item"), str):
        return False
    # True is an int, too.
    return type(order.get("count")) is int and 1 <= order["count"] <= 1000
