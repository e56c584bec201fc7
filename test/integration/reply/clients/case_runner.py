"""Runs one case of a client and tells how it ended, as one line of JSON on standard output.

usage: <client>.py CASE PORT CORRELATION_ID
"""

import json
import sys

PROPERTIES = {"content_type": "text/plain", "headers": {"X-Text": "tea", "X-Number": 5, "X-Flag": True, "X-Table": {"a": 1}}}
LARGE = bytes(range(256)) * 2800
TOO_LARGE = b"x" * (2 * 1024 * 1024)
MANY = 20


def ready():
    """Tells the test that the connection is open and idle."""
    print("ready", flush=True)


def run(cases, code_of):
    name, port, correlation_id = sys.argv[1:]
    try:
        cases[name](int(port), correlation_id)
        outcome = {"error": None, "code": None}
    except Exception as error:  # what the client itself makes of the server's answer is what is tested
        outcome = {"error": type(error).__name__, "code": code_of(error), "text": str(error)}
    print(json.dumps(outcome), flush=True)
