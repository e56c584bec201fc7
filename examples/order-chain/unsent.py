"""Told of mails that could not be sent."""


def handler(message, context):
    told = message["body"]["data"]
    context.logger.error("to %s: %s", told["request"]["body"]["to"], told["error"])
