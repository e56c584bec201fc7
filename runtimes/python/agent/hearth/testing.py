"""
Calls a handler as the platform would, without the platform:

    from hearth.testing import call

    answer = call(handler, body={"name": "Ada"}, invokes={"greeting": lambda payload: "Hello " + payload["name"]})
    assert (answer.status, answer.json()) == (200, {"text": "Hello Ada"})

A handler of `stream_body` is given `stream`, pieces of the body, and one of `websocket` what its peer sends:

    answer = call(handler, websocket=["hello"])
    assert (answer.messages, answer.closed) == (["you said hello"], (1000, ""))

The request is taken apart and the answer put together by the code that does it inside sandboxes. What the handler raises is raised here. There are no limits, and
no deadline is enforced.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Callable, NamedTuple, Optional, Union
from urllib.parse import quote, urlencode

import hearth
from hearth_agent import request, result, signature

__all__ = ["Answer", "Invoked", "call"]


class Invoked(NamedTuple):
    """That the handler invoked another function."""

    name: str
    payload: Any
    #: "sync" or "async".
    mode: str


class Answer:
    """What a caller would get."""

    def __init__(self, status: int, headers: list[tuple[str, str]], pieces: list[bytes], streamed: bool, invoked: list[Invoked]) -> None:
        self.status = status
        #: In their order; repeated ones as often as they are sent.
        self.headers = headers
        #: As they were sent: more than one only if it is streamed.
        self.pieces = pieces
        self.streamed = streamed
        #: In the order of the invocations.
        self.invoked = invoked
        #: What it sent by a WebSocket, and with which code and reason it closed it.
        self.messages: list[Union[str, bytes]] = []
        self.closed: Optional[tuple[int, str]] = None

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> Optional[str]:
        """The first of that name, whatever its capitals."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def __repr__(self) -> str:
        return "<Answer %d, %d bytes>" % (self.status, len(self.body))


def call(
    handler: Callable[..., Any],
    body: Any = None,
    *,
    verb: str = "POST",
    path: str = "/",
    query: Union[str, Mapping[str, str], None] = None,
    headers: Union[Mapping[str, str], Iterable[tuple[str, str]], None] = None,
    params: Optional[Mapping[str, str]] = None,
    secrets: Optional[Mapping[str, str]] = None,
    invokes: Optional[Mapping[str, Callable[[Any], Any]]] = None,
    stream: Optional[Iterable[Union[str, bytes]]] = None,
    websocket: Optional[Iterable[Union[str, bytes]]] = None,
    subprotocols: Iterable[str] = (),
    timeout_ms: float = 60_000,
    function_name: str = "function",
) -> Answer:
    """
    Calls `handler`, which may be asynchronous or stream. `body`: bytes as they are, text as text/plain, anything else as JSON; None: none. `invokes`: what stands in
    for the functions that it may invoke, each given the payload. `stream`: the body in pieces, as a handler of `stream_body` gets it. `websocket`: the messages of a
    WebSocket's peer, which offers `subprotocols`, and closes with 1000 at their end. Pieces and messages are asked for one by one, when the handler waits for them.
    """
    raw, content_type = _encode(body)
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers or ())
    if content_type is not None and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", content_type))
    query_text = query if isinstance(query, str) else urlencode(query or {})
    invoke = {
        "correlationId": str(uuid.uuid4()),
        "instanceId": "local",
        "deadline": (time.time() + timeout_ms / 1000) * 1000,
        "query": query_text,
        "headers": [text for pair in pairs for text in pair],
        "path": path,
        "rawPath": quote(path) + ("?" + query_text if query_text else ""),
        "verb": verb,
        "params": dict(params or {}),
    }
    function = signature.Function(handler)
    message = request.make_message(invoke, raw)
    peer = None
    if stream is not None or websocket is not None:
        from ._peer import Peer

        peer = Peer(function.is_async)
        message = peer.fill(message, invoke, stream, websocket, subprotocols)
    arguments = (message, request.make_context(invoke, function_name, "message_queue"))[: function.arity]
    stand_in = _StandIn(invokes or {})
    before = (hearth._stand_in, request.Context.secrets)
    hearth._stand_in = stand_in
    request.give_secrets(dict(secrets or {}))
    try:
        if peer is not None and websocket is not None:
            value = peer.run(function.call, arguments)
            return _closed(peer, stand_in) if peer.accepted else _finish(value, stand_in)
        return asyncio.run(_run(function.call, arguments, stand_in)) if function.is_async else _finish(_now(function.call(*arguments)), stand_in)
    finally:
        hearth._stand_in, request.Context.secrets = before


def _now(value: Any) -> Any:
    """What is returned by a plain function that leaves waiting to its caller is waited for, as in a sandbox."""

    async def wait() -> Any:
        return await value

    return asyncio.run(wait()) if hasattr(value, "__await__") else value


async def _run(function: Callable[..., Any], arguments: tuple[Any, ...], stand_in: "_StandIn") -> Answer:
    value = function(*arguments)
    if hasattr(value, "__await__"):
        value = await value
    shaped = result.shape(value)
    if not isinstance(shaped, result.Streamed):
        return _whole(shaped, stand_in)
    items = [item async for item in shaped.source] if shaped.is_async else list(shaped.source)
    return _streamed(shaped, items, stand_in)


def _finish(value: Any, stand_in: "_StandIn") -> Answer:
    shaped = result.shape(value)
    if not isinstance(shaped, result.Streamed):
        return _whole(shaped, stand_in)

    async def gather() -> list[Any]:
        return [item async for item in shaped.source]

    items = asyncio.run(gather()) if shaped.is_async else list(shaped.source)
    return _streamed(shaped, items, stand_in)


def _closed(peer: Any, stand_in: "_StandIn") -> Answer:
    answer = Answer(101, _pairs(peer.head["headers"]), [], True, stand_in.invoked)
    answer.messages = peer.messages
    answer.closed = peer.closed
    return answer


def _whole(shaped: tuple[bytes, bytes], stand_in: "_StandIn") -> Answer:
    head = json.loads(shaped[0])
    return Answer(head["status"], _pairs(head["headers"]), [shaped[1]] if shaped[1] else [], False, stand_in.invoked)


def _streamed(shaped: Any, items: list[Any], stand_in: "_StandIn") -> Answer:
    head = json.loads(shaped.head(items[0] if items else None))
    return Answer(head["status"], _pairs(head["headers"]), [result.piece(item) for item in items], True, stand_in.invoked)


def _pairs(headers: list[str]) -> list[tuple[str, str]]:
    return list(zip(headers[::2], headers[1::2]))


def _encode(body: Any) -> tuple[bytes, Optional[str]]:
    if body is None:
        return b"", None
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), None
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    return json.dumps(body).encode(), "application/json"


class _Call:
    """As the agent's calls are: what was answered, or why nothing was."""

    def __init__(self, head: Any = None, pieces: Iterable[bytes] = (), error: Any = None) -> None:
        self.head = head
        self.pieces = list(pieces)
        self.error = error


class _StandIn:
    """The platform, for `hearth.invoke`."""

    def __init__(self, functions: Mapping[str, Callable[[Any], Any]]) -> None:
        self._functions = functions
        self.invoked: list[Invoked] = []

    def call(self, head: Any, body: bytes) -> _Call:
        name = head["function"]
        function = self._functions.get(name)
        if function is None:
            message = 'it may not invoke "%s": give `call` a stand-in for it by `invokes`, and register the function with "invokes": ["%s"]' % (name, name)
            return _Call(error={"code": "invoke_not_allowed", "status": 403, "message": message})
        payload = body or None if head["contentType"] != "application/json" else json.loads(body)
        self.invoked.append(Invoked(name, payload, head["mode"]))
        if head["mode"] == "async":
            return _Call({"id": str(uuid.uuid4())})
        answered = result.shape(function(payload))
        if isinstance(answered, result.Streamed):
            return _Call(json.loads(answered.head(None)), [result.piece(item) for item in answered.source])
        return _Call(json.loads(answered[0]), [answered[1]])

    async def acall(self, head: Any, body: bytes) -> _Call:
        return self.call(head, body)
