"""Sends a mail, or what stands in for it: nothing leaves, and the host `down.example` can't be reached."""


def handler(message, context):
    to = message["body"]["to"]
    if to.endswith("@down.example"):
        # An exception is a failed attempt. After the last one this is a dead letter, and `order-unsent` is told.
        raise ConnectionError(f"the mail server of {to} does not answer")
    # Each attempt has the same id: who really sends gives it to the mail server, lest the same mail goes twice.
    context.logger.info("mail %s to %s", context.correlation_id, to)
