"""Anything a function raised, as the protocol's error object. Survives values that fight back."""

import sys

MESSAGE_BYTES = 4096
TRACE_BYTES = 16384
AGENT_FOLDER = __file__.rpartition("/")[0] + "/"


class FunctionError(Exception):
    """What the function did is wrong in a way that we found out; shown without a trace of our own."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def cut(text, limit):
    """At most `limit` bytes of UTF-8; a cut text ends in '…'."""
    data = text[:limit].encode("utf-8", "backslashreplace")
    if len(text) <= limit and len(data) <= limit:
        return data.decode("utf-8")
    return data[: limit - 3].decode("utf-8", "ignore") + "…"


def own_trace(trace):
    """The traceback without the agent's frames at its top."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(AGENT_FOLDER):
        trace = trace.tb_next
    return trace


def error_object(error):
    """{"type", "message", "trace"} of any exception. Never raises, whatever the exception's methods do."""
    # Not isinstance: it asks an object that is none for its class, which the function may answer by raising.
    if issubclass(type(error), FunctionError):
        return {"type": error.kind, "message": cut(str(error), MESSAGE_BYTES), "trace": ""}
    kind = _guarded(lambda: type.__dict__["__name__"].__get__(type(error)), "Exception")
    message = _guarded(lambda: str(error), "<%s that can't be shown as text>" % kind)
    return {"type": cut(kind, 256), "message": cut(message, MESSAGE_BYTES), "trace": cut(_trace(error, kind, message), TRACE_BYTES)}


def _trace(error, kind, message):
    import traceback

    trace = own_trace(BaseException.__traceback__.__get__(error))

    def whole():
        return "".join(traceback.format_exception(type(error), error, trace))

    def frames_only():
        return "".join(["Traceback (most recent call last):\n", *traceback.format_tb(trace), "%s: %s\n" % (kind, message)])

    return _guarded(whole, None) or _guarded(frames_only, "")


def _guarded(make, default):
    try:
        text = make()
        return str.__str__(text) if isinstance(text, str) else default
    except BaseException:  # noqa: B036 - the function's own __str__ may raise anything, SystemExit included
        return default


def fatal(message, code=70):
    """Ends the runtime with a line for the operator."""
    import os

    try:
        os.write(2, ("hearth: %s\n" % message).encode("utf-8", "backslashreplace"))
    finally:
        os._exit(code)


def show_uncaught(error):
    """As the interpreter shows what nobody caught, with the agent's frames left out."""
    trace = own_trace(error.__traceback__)
    error = error.with_traceback(trace)
    if sys.excepthook is not sys.__excepthook__:
        sys.excepthook(type(error), error, trace)
        return
    import traceback

    # Not sys.__excepthook__: before 3.13 it reads source lines from files, and the function's is none.
    traceback.print_exception(type(error), error, trace)
