"""
Handlers written for other platforms, where the code defines no `handler`: OpenFaaS' `handle(event, context)` and `handle(req)`
(templates python3-http and python3), OpenWhisk's `main(args)`. Each becomes a handler of ours.
"""

import os
from base64 import b64decode, b64encode

from . import signature
from .errors import FunctionError
from .request import parse_body, parse_query


def find(module):
    """The handler that a module without a `handler` defines, or None."""
    handle = getattr(module, "handle", None)
    if callable(handle):
        return _adapt(handle, "handle", _faas_arguments, _faas_result)
    main = getattr(module, "main", None)
    if callable(main):
        return _adapt(main, "main", _whisk_arguments, _whisk_result)
    return None


def _adapt(function, name, arguments, result):
    theirs = signature.Function(function, name)

    if theirs.is_async:

        async def handler(message, context):
            value = function(*arguments(message, theirs.arity))
            return result(await value if hasattr(value, "__await__") else value)

    else:

        def handler(message, context):
            return result(function(*arguments(message, theirs.arity)))

    return signature.Function(handler)


# --- OpenFaaS


class Headers(dict):
    """Names in lower case; looked up in any."""

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __contains__(self, name):
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)


class Event:
    """What the template python3-http gives: body (bytes), headers, method, query, path."""

    def __init__(self, message):
        self.body = message["raw_body"]
        self.headers = Headers((name.lower(), value) for name, value in message["headers"].items())
        self.method = message["verb"]
        self.query = message["query"]
        self.path = message["path"]


class Context:
    def __init__(self):
        self.hostname = os.environ.get("HOSTNAME", "localhost")


def _faas_arguments(message, arity):
    if arity == 2:
        return Event(message), Context()
    # The classic template: the body as text, and nothing else.
    return (message["raw_body"].decode("utf-8", "replace"),)[:arity]


def _faas_result(value):
    if value is None:
        return {"statusCode": 200, "body": ""}
    if not isinstance(value, dict):
        return value
    if not ({"statusCode", "body", "headers"} & value.keys()):
        return value
    headers = value.get("headers")
    if isinstance(headers, (list, tuple)):
        grouped = {}
        for name, one in headers:
            grouped.setdefault(name, []).append(one)
        headers = grouped
    return {**value, "statusCode": _status(value.get("statusCode", 200)), "headers": headers}


# --- OpenWhisk

_BINARY = ("image/", "audio/", "video/", "font/")
_BINARY_TYPES = ("application/octet-stream", "application/pdf", "application/zip", "application/gzip")


def _whisk_arguments(message, arity):
    return (_whisk_parameters(message),)[:arity]


def _whisk_parameters(message):
    """Of a web action: path and query parameters and the members of the body, the latter first; and `__ow_…` about the request."""
    headers = {name.lower(): value for name, value in message["headers"].items()}
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = message["raw_body"]
    parameters = {name: value for name, value in message["params"].items() if name != "*"}
    parameters.update(message["query"])
    body = parse_body(raw) if kind in ("", "application/json") or kind.endswith("+json") else None
    if isinstance(body, dict):
        parameters.update(body)
    elif raw and kind == "application/x-www-form-urlencoded":
        parameters.update(parse_query(raw.decode("utf-8", "replace"))[0])
    elif raw:
        parameters["__ow_body"] = _whisk_body(raw, kind)
    rest = message["params"].get("*")
    parameters.update(
        __ow_method=message["verb"].lower(),
        __ow_headers=headers,
        __ow_path="" if rest is None else "/" + rest.lstrip("/"),
        __ow_query=message["raw_path"].partition("?")[2],
    )
    return parameters


def _whisk_body(raw, kind):
    if not _is_binary(kind):
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            pass
    return b64encode(raw).decode()


def _is_binary(kind):
    return kind.startswith(_BINARY) or kind in _BINARY_TYPES


def _whisk_result(value):
    if value is None:
        return {"statusCode": 204}
    if not isinstance(value, dict):
        raise FunctionError("TypeError", "`main` returns a dict, not %s" % type(value).__name__)
    error = value.get("error")
    if error is not None:
        if isinstance(error, dict) and "statusCode" in error:
            return _whisk_result(error)
        raise FunctionError("ApplicationError", error if isinstance(error, str) else repr(error))
    if not ("statusCode" in value or "body" in value):
        return value
    headers = value.get("headers") or {}
    body = value.get("body")
    status = _status(value.get("statusCode", 204 if body in (None, "") else 200))
    kind = next((str(one) for name, one in headers.items() if str(name).lower() == "content-type"), "")
    answer = {"statusCode": status, "headers": headers, "body": body}
    if isinstance(body, str) and _is_binary(kind.partition(";")[0].strip().lower()):
        try:
            answer["body"] = b64decode(body, validate=True)
        except ValueError:
            pass  # it was the text itself
    return answer


def _status(value):
    try:
        return int(value)
    except (TypeError, ValueError):
        raise FunctionError("TypeError", "statusCode is a number, not %r" % (value,)) from None
