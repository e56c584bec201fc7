"""
The SDK of functions that Hearth runs. Inside one:

    import hearth

    answer = hearth.invoke("resize", {"width": 100})              # waits: what the other function answered
    invocation_id = hearth.invoke("notify", {"id": 7}, mode="async")  # through the queue: runs later, at least once

The function that invokes must be registered with the names of those that it may invoke: `"invokes": ["resize", "notify"]`.

`hearth.Message`, `hearth.Context`, `hearth.Response`, `hearth.Handler` and others are types for annotations, `hearth.logger` writes to the log of the invocation,
`hearth.WebSocketClosed` is what WebSockets raise, and `hearth.testing` calls a handler without the platform.
"""

import json
import sys
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from logging import Logger

    from .types import AsyncMessage, AsyncWebSocket, Context, Handler, Message, Response, WebSocket

    logger: Logger

    class WebSocketClosed(Exception):
        """A WebSocket is closed: `code` and `reason` of the peer's close; 1006 where it left without one."""

        code: int
        reason: str


__all__ = [
    "AsyncMessage",
    "AsyncWebSocket",
    "Context",
    "Handler",
    "InvokeError",
    "Message",
    "Response",
    "WebSocket",
    "WebSocketClosed",
    "ainvoke",
    "invoke",
    "logger",
]

#: Stands in for the platform while `hearth.testing` calls a handler.
_stand_in: Any = None


def __getattr__(name: str) -> Any:
    # Most functions want none of this, and importing it takes longer than a call.
    if name in ("AsyncMessage", "AsyncWebSocket", "Context", "Handler", "Message", "Response", "WebSocket"):
        from . import types

        return getattr(types, name)
    if name == "WebSocketClosed":
        from hearth_agent.websocket import WebSocketClosed

        return WebSocketClosed
    if name == "logger":
        from hearth_agent.logger import function_logger

        return function_logger("hearth")
    raise AttributeError("module 'hearth' has no attribute %r" % name)


class InvokeError(Exception):
    """The other function was not run, failed, or answered with a status of 400 or above."""

    #: As in the platform's catalogue of errors, such as `invoke_not_allowed`, `invocation_too_deep` or `deadline_exceeded`; `status` for an answer.
    code: str
    status: int
    #: What it answered, if it did.
    body: Any

    def __init__(self, code: str, status: int, message: str, body: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.body = body

    def __str__(self) -> str:
        return "%s: %s" % (self.code, self.args[0])


def invoke(name: str, payload: Any = None, mode: str = "sync", timeout_ms: Optional[float] = None) -> Any:
    """
    Invokes another function of the platform, and returns its answer, or with mode "async" the id of the invocation, once that is on the disk.

    `payload` becomes the body: JSON, or bytes as they are; None: no body. The answer is parsed when it is JSON, else text, or bytes if it is no text; None when it
    has no body. It is waited for as long as the caller itself has time, the other function's timeout allows and `timeout_ms` says, whichever is shortest.
    Raises InvokeError.
    """
    head, body = _request(name, payload, mode, timeout_ms)
    return _result(name, mode, _transport().call(head, body))


async def ainvoke(name: str, payload: Any = None, mode: str = "sync", timeout_ms: Optional[float] = None) -> Any:
    """As `invoke`, for asynchronous functions: others run on meanwhile."""
    head, body = _request(name, payload, mode, timeout_ms)
    return _result(name, mode, await _transport().acall(head, body))


def _transport() -> Any:
    if _stand_in is not None:
        return _stand_in
    if not getattr(sys.modules.get("hearth_agent.boot"), "inside", False):
        raise RuntimeError("hearth.invoke works inside a function that Hearth runs, and this is none; hearth.testing calls one elsewhere")
    from hearth_agent import calls

    transport = calls.transport()
    if transport is None:
        raise InvokeError("invoke_not_allowed", 403, 'this function may invoke none: register it with "invokes": ["name", …]')
    return transport


def _request(name: str, payload: Any, mode: str, timeout_ms: Optional[float]) -> Any:
    if not isinstance(name, str):
        raise TypeError("the name of a function is str, not %s" % type(name).__name__)
    if mode not in ("sync", "async"):
        raise ValueError('mode is "sync" or "async", not %r' % (mode,))
    if timeout_ms is not None and not timeout_ms >= 1:
        raise ValueError("timeout_ms is a number from 1 on, not %r" % (timeout_ms,))
    if payload is None:
        content_type, body = None, b""
    elif isinstance(payload, (bytes, bytearray, memoryview)):
        content_type, body = "application/octet-stream", bytes(payload)
    else:
        content_type, body = "application/json", json.dumps(payload).encode()
    timeout = None if timeout_ms is None or timeout_ms == float("inf") else timeout_ms
    return {"function": name, "mode": mode, "timeoutMs": timeout, "contentType": content_type, "bodyLength": len(body)}, body


def _result(name: str, mode: str, call: Any) -> Any:
    if call.error is not None:
        raise InvokeError(call.error["code"], call.error["status"], call.error["message"])
    head = call.head
    if mode == "async":
        return head["id"]
    body = _parse(head["headers"], b"".join(call.pieces))
    if head["status"] >= 400:
        raise InvokeError("status", head["status"], "the function %s answered with the status %d" % (name, head["status"]), body)
    return body


def _parse(headers: Any, raw: bytes) -> Any:
    if not raw:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw
    for index in range(0, len(headers), 2):
        if headers[index].lower() == "content-type" and "json" in headers[index + 1].lower():
            try:
                return json.loads(text)
            except ValueError:
                return text
    return text
