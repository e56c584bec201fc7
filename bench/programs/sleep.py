"""Waits for 20 ms and uses no CPU: what a function that asks somebody else looks like."""

import time


def handler(message, context):
    time.sleep(0.02)
    return {"slept": 0.02}
