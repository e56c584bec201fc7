"""What a function sees of a request: a handler's `message` and `context`, a script's environment."""

import json
from _collections_abc import Mapping
from time import time

from . import fast_json


class Secrets(Mapping):
    """Values by name, which neither `print` nor `json` shows."""

    __slots__ = ("_values",)

    def __init__(self, values):
        self._values = values

    def __getitem__(self, name):
        try:
            return self._values[name]
        except KeyError:
            raise KeyError("%s, which the function's `secrets` do not name" % (name,)) from None

    def __contains__(self, name):
        return name in self._values

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)

    def __repr__(self):
        return "<secrets: %s>" % ", ".join(self._values)


class Context(dict):
    """A dict whose keys are attributes too."""

    #: The request's header pairs: no key either.
    __slots__ = ("_pairs",)

    #: No key, so that a context can be printed and returned. A process holds one function, so it is the same for all calls.
    secrets = Secrets({})

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name, value):
        self[name] = value

    def remaining_ms(self):
        """Milliseconds until nobody wants the answer any more; 0 when that has passed."""
        return max(0.0, (self["deadline"] - time()) * 1000)

    @property
    def logger(self):
        """A `logging.Logger` that writes to the invocation's log."""
        from .logger import function_logger

        return function_logger(self["function_name"])

    def trace_headers(self):
        """What a request to elsewhere carries on (W3C Trace Context): traceparent and tracestate, as far as the caller sent them."""
        return trace_headers(self._pairs)


def trace_headers(pairs):
    return {name: pairs[i + 1] for i in range(0, len(pairs), 2) if (name := pairs[i].lower()) in ("traceparent", "tracestate")}


_give_pairs = Context._pairs.__set__


def give_secrets(values):
    Context.secrets = Secrets(values)


def make_context(invoke, function_name, message_queue):
    context = Context(
        message_queue_uri=message_queue,
        correlation_id=invoke["correlationId"],
        instance_id=invoke["instanceId"],
        function_name=function_name,
        deadline=invoke["deadline"] / 1000,
    )
    _give_pairs(context, invoke["headers"])
    return context


def make_message(invoke, raw):
    query_text = invoke["query"]
    if query_text:
        query, query_all = parse_query(query_text)
    else:
        query, query_all = {}, {}
    return {
        "headers": header_dict(invoke["headers"]),
        "body": parse_body(raw),
        "raw_body": raw,
        "path": invoke["path"],
        "raw_path": invoke["rawPath"],
        "verb": invoke["verb"],
        "query": query,
        "query_all": query_all,
        "params": invoke["params"],
        "message_type": invoke.get("messageType", "http"),
    }


def parse_body(raw):
    """None, the parsed JSON, or the text itself."""
    if not raw:
        return None
    text = raw.decode("utf-8", "surrogateescape")
    try:
        return fast_json.loads(text)
    except (ValueError, RecursionError):
        return text


def header_dict(pairs):
    """Names as they came; repeated ones joined."""
    names = pairs[::2]
    headers = dict(zip(names, pairs[1::2]))
    if len(headers) == len(names):
        return headers
    headers = {}
    for name, value in zip(names, pairs[1::2]):
        if name in headers:
            value = headers[name] + ("; " if name.lower() == "cookie" else ", ") + value
        headers[name] = value
    return headers


def parse_query(text):
    """({name: last value}, {name: [values]})"""
    from urllib.parse import parse_qsl

    last = {}
    every = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        last[name] = value
        every.setdefault(name, []).append(value)
    return last, every


# What str.splitlines() takes for the end of a line, and NUL, which an environment can't hold.
_BREAKS = {ord(character): " " for character in "\0\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"}


def one_line(text):
    """The text with nothing in it that could be taken for the end of a line."""
    if text.isprintable():
        return text
    return text.translate(_BREAKS).encode("utf-8", "replace").decode("utf-8")


def header_lines(pairs):
    return "\n".join(["%s: %s" % (one_line(pairs[i]), one_line(pairs[i + 1])) for i in range(0, len(pairs) - 1, 2)])


def _refuse(constant):
    raise ValueError(constant)


# Only whether it is JSON matters, so numbers aren't made.
_check_json = json.JSONDecoder(parse_constant=_refuse, parse_int=len, parse_float=len).decode


def script_body(invoke, raw):
    """HTTP_BODY: JSON text around the body, which isn't encoded anew when it is JSON already."""
    verbatim = invoke.get("scriptBody")
    if verbatim is not None:
        return verbatim.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    if not raw:
        return '{"body": null}'
    try:
        text = raw.decode("utf-8")
        _check_json(text)
    except (ValueError, RecursionError):
        return '{"body": %s}' % json.dumps(raw.decode("utf-8", "surrogateescape"))
    return '{"body": %s}' % text


#: What script_environment sets, the variables of a trace aside.
VARIABLES = ("HTTP_HEADER", "HTTP_BODY", "HTTP_PATH", "HTTP_VERB", "HTTP_QUERY", "HTTP_TARGET")


def script_environment(invoke, raw):
    environment = {
        "HTTP_HEADER": header_lines(invoke["headers"]),
        "HTTP_BODY": script_body(invoke, raw),
        "HTTP_PATH": one_line(invoke["path"]),
        "HTTP_VERB": one_line(invoke["verb"]),
        "HTTP_QUERY": one_line(invoke["query"]),
        "HTTP_TARGET": one_line(invoke["rawPath"]),
    }
    # As OpenTelemetry names them in an environment.
    for name, value in trace_headers(invoke["headers"]).items():
        environment[name.upper()] = one_line(value)
    return environment
