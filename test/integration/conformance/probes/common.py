"""Stands before every probe in Python: what a function sees around it, and what its caller's header X-Do tells it to do."""

import base64
import hashlib
import json
import os
import sys
import time
from urllib.parse import parse_qs


def order_of(pairs):
    """What the caller asks for: base64 of JSON, {"act": "report"} by default."""
    for name, value in pairs:
        if name.lower() == "x-do":
            return json.loads(base64.b64decode(value))
    return {"act": "report"}


def body_of(data):
    shown = base64.b64encode(data).decode() if len(data) <= 4096 else None
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest(), "base64": shown}


def queries(text):
    return parse_qs(text, keep_blank_values=True)


def surroundings():
    folder = os.getcwd()
    return {
        "environment": dict(os.environ),
        "folder": folder,
        "writable": [one for one in ("/tmp", "/", "/etc", "/usr", "/var", os.path.dirname(os.path.abspath(__file__))) if writes(one)],
    }


def writes(folder):
    path = os.path.join(folder, "probe-%d" % os.getpid())
    try:
        with open(path, "w") as file:
            file.write("x")
        os.unlink(path)
        return True
    except OSError:
        return False


def obey(order):
    """What has nothing to do with the answer."""
    act = order["act"]
    if act == "print":
        print(order["out"], flush=True)
        print(order["err"], file=sys.stderr, flush=True)
    elif act == "raise":
        raise ValueError("asked to fail")
    elif act == "hang":
        time.sleep(60)
    elif act == "fill":
        hold = []
        while True:
            hold.append(bytearray(b"x") * (8 << 20))
    elif act == "exit":
        os._exit(7)


def data_of(order):
    """The bytes of the answer."""
    if "size" in order:
        return b"0123456789abcdef" * (order["size"] // 16)
    if "base64" in order:
        return base64.b64decode(order["base64"])
    return order.get("text", "").encode()


def pieces_of(order):
    return [letter * order["each"] for letter in order["pieces"]]


def grouped(pairs):
    headers = {}
    for name, value in pairs:
        headers.setdefault(name, []).append(value)
    return headers
