"""JSON by the interpreter's own scanner and encoder, without the layers of Python around them: they cost more than the work itself."""

import json
from json import encoder as _encoder

_scan = json.JSONDecoder().scan_once
_plain = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def loads(text):
    """json.loads for str. Raises ValueError or RecursionError as that does."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


def _make_encode():
    make = _encoder.c_make_encoder
    if make is None:
        return None
    try:
        # No markers: a circle is found by the depth of the recursion, and named by the slow way below.
        encode = make(None, _plain.default, _encoder.encode_basestring, None, ": ", ", ", False, False, False)
        return encode if "".join(encode({"a": [1, "b"]}, 0)) == '{"a": [1, "b"]}' else None
    except (TypeError, ValueError):
        return None


_encode = _make_encode()


def dumps(value):
    """json.dumps(value, ensure_ascii=False, allow_nan=False), with its exceptions."""
    if _encode is None:
        return _plain.encode(value)
    try:
        return "".join(_encode(value, 0))
    except RecursionError:
        return _plain.encode(value)
