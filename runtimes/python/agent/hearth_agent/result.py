"""From what a handler returned to an HTTP response."""

import json

from . import fast_json, frames
from .errors import FunctionError
from .frames import pack_header

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
JSON = "application/json"


def head(status, headers, streaming=False):
    """ReplyHead's payload; `headers` are names and values in turn."""
    payload = json.dumps({"status": status, "headers": headers, "streaming": streaming}).encode()
    if len(payload) > frames.MAX_PAYLOAD:
        raise FunctionError("ValueError", "the headers of the response are too large")
    return payload


_HEAD_JSON = head(200, ["Content-Type", JSON])
_HEAD_TEXT = head(200, ["Content-Type", TEXT])
_HEAD_BYTES = head(200, ["Content-Type", BYTES])
_HEAD_EMPTY = head(204, [])

_encode_ascii_json = json.JSONEncoder(ensure_ascii=True, allow_nan=False).encode


class Streamed:
    """A body that comes in pieces: `source` is an iterator or an async iterator."""

    __slots__ = ("status", "headers", "source")

    def __init__(self, status, headers, source):
        self.status = status
        self.headers = headers
        self.source = source

    def head(self, first):
        headers = self.headers
        if first is not None and not _has(headers, "content-type"):
            headers = [*headers, "Content-Type", TEXT if isinstance(first, str) else BYTES]
        return head(self.status, headers, True)

    @property
    def is_async(self):
        return not hasattr(self.source, "__next__")


def shape(value):
    """(head payload, body bytes), or a Streamed. Raises FunctionError when the value can't be a response."""
    kind = type(value)
    if kind is dict:
        if "statusCode" in value and type(value["statusCode"]) is int:
            return _shape_response(value)
        return _HEAD_JSON, to_json(value)
    if kind is str:
        return _HEAD_TEXT, to_text(value)
    if value is None:
        return _HEAD_EMPTY, b""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _HEAD_BYTES, bytes(value)
    if isinstance(value, str):
        return _HEAD_TEXT, to_text(str.__str__(value))
    if isinstance(value, dict) and isinstance(value.get("statusCode"), int) and not isinstance(value["statusCode"], bool):
        return _shape_response(value)
    if is_stream(value):
        return Streamed(200, [], _iterator(value))
    return _HEAD_JSON, to_json(value)


def is_stream(value):
    kind = type(value)
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__") or hasattr(kind, "__aiter__")


def _iterator(value):
    if hasattr(type(value), "__next__") or hasattr(type(value), "__anext__"):
        return value
    return value.__aiter__()


def complete(ident, reply_head, body):
    """The frames of a whole response as pieces to send, most often one."""
    if len(body) <= frames.MAX_PAYLOAD:
        if not body:
            return (pack_header(len(reply_head), 0x86, ident) + reply_head + pack_header(0, 0x88, ident),)
        return (
            b"".join(
                (
                    pack_header(len(reply_head), 0x86, ident),
                    reply_head,
                    pack_header(len(body), 0x87, ident),
                    body,
                    pack_header(0, 0x88, ident),
                )
            ),
        )
    return (
        frames.encode(frames.REPLY_HEAD, ident, reply_head),
        *frames.encode_body(frames.REPLY_BODY, ident, body),
        frames.encode(frames.REPLY_END, ident),
    )


def piece(item):
    """One item of a stream as bytes."""
    if isinstance(item, str):
        return to_text(item)
    if isinstance(item, (bytes, bytearray, memoryview)):
        return bytes(item)
    raise FunctionError("TypeError", "a stream yields str or bytes, not %s" % type(item).__name__)


def to_text(text):
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        pass
    try:
        return text.encode("utf-8", "surrogateescape")  # the request's own bytes, handed back
    except UnicodeEncodeError as error:
        raise FunctionError("UnicodeEncodeError", "the text can't be encoded as UTF-8: %s" % error) from None


def to_json(value):
    try:
        text = fast_json.dumps(value)
    except ValueError as error:
        raise FunctionError("ValueError", "the result can't be written as JSON: %s" % error) from None
    except TypeError as error:
        raise FunctionError("TypeError", "the result can't be written as JSON: %s" % error) from None
    except RecursionError:
        raise FunctionError("RecursionError", "the result is nested too deeply for JSON") from None
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return _encode_ascii_json(value).encode()  # lone surrogates have no UTF-8, but an escape


def _shape_response(value):
    status = int(value["statusCode"])
    headers = []
    add_headers(headers, value.get("headers"), "headers")
    add_headers(headers, value.get("multiValueHeaders"), "multiValueHeaders")
    cookies = value.get("cookies")
    if cookies is not None:
        add_headers(headers, {"Set-Cookie": [cookies] if isinstance(cookies, str) else list(cookies)}, "cookies")
    body = value.get("body")
    if is_stream(body):
        return Streamed(status, headers, _iterator(body))
    content_type = None
    if body is None:
        data = b""
    elif isinstance(body, str):
        if value.get("isBase64Encoded"):
            data = _from_base64(body)
            content_type = BYTES
        else:
            data = to_text(str.__str__(body))
            content_type = TEXT
    elif isinstance(body, (bytes, bytearray, memoryview)):
        data = bytes(body)
        content_type = BYTES
    else:
        data = to_json(body)
        content_type = JSON
    if content_type is not None and not _has(headers, "content-type"):
        headers += ("Content-Type", content_type)
    return head(status, headers), data


def _from_base64(text):
    from base64 import b64decode

    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise FunctionError("ValueError", "isBase64Encoded is set, but body is no base64: %s" % error) from None


def _has(headers, name):
    return any(headers[i].lower() == name for i in range(0, len(headers), 2))


def add_headers(headers, given, member):
    if given is None:
        return
    if not isinstance(given, dict):
        raise FunctionError("TypeError", "%s is a dict, not %s" % (member, type(given).__name__))
    for name, value in given.items():
        if not isinstance(name, str):
            raise FunctionError("TypeError", "the name of a header is str, not %s" % type(name).__name__)
        for one in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(one, bool):
                one = "true" if one else "false"
            elif isinstance(one, (int, float)):
                one = str(one)
            elif isinstance(one, bytes):
                one = one.decode("latin-1")
            elif one is None:
                continue
            elif not isinstance(one, str):
                raise FunctionError("TypeError", "the value of header %s is str, not %s" % (name, type(one).__name__))
            headers += (str.__str__(name), str.__str__(one))
