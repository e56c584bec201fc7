"""Uses 5 ms of CPU, however long that takes."""

import time


def handler(message, context):
    end = time.process_time() + 0.005
    while time.process_time() < end:
        pass
    return {"used": 0.005}
