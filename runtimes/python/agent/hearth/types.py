"""What a handler is given and may return, for annotations and editors. Nothing here is needed at run time."""

import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from typing import Any, Callable, Optional, Protocol, TypedDict, Union

#: Of a response, or of the answer to a WebSocket's handshake.
Headers = Mapping[str, Union[str, int, float, bool, Iterable[str]]]


class Stream(Iterator[bytes], Protocol):
    """The body as it comes: an iterator over its pieces."""

    def read(self, n: Optional[int] = -1) -> bytes:
        """So many bytes, fewer only where the body ends; all that is left with -1 or None."""


class AsyncStream(Protocol):
    """The same for an asynchronous handler."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    async def read(self, n: Optional[int] = -1) -> bytes: ...


class WebSocket(Iterator[Union[str, bytes]], Protocol):
    """Iterating gives messages until it is closed."""

    subprotocol: Optional[str]
    #: Of its close, once that has come: 1005 when the peer gave none, 1006 when it left without a close.
    code: Optional[int]
    reason: str

    def receive(self) -> Union[str, bytes]:
        """The next message. Raises `hearth.WebSocketClosed`."""

    def send(self, data: Union[str, bytes, bytearray, memoryview]) -> None:
        """Waits while the peer doesn't read. Raises `hearth.WebSocketClosed`."""

    def ping(self, data: Union[str, bytes] = b"") -> None:
        """At most 125 bytes."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Gives the peer two seconds to answer."""


class AsyncWebSocket(Protocol):
    """The same for an asynchronous handler."""

    subprotocol: Optional[str]
    code: Optional[int]
    reason: str

    def __aiter__(self) -> AsyncIterator[Union[str, bytes]]: ...

    async def __anext__(self) -> Union[str, bytes]: ...

    async def receive(self) -> Union[str, bytes]: ...

    async def send(self, data: Union[str, bytes, bytearray, memoryview]) -> None: ...

    async def ping(self, data: Union[str, bytes] = b"") -> None: ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


class Handshake(Protocol):
    """A WebSocket that the caller asks for."""

    #: Those that the caller can speak, in its order of preference.
    subprotocols: list[str]

    def accept(self, subprotocol: Optional[str] = None, headers: Optional[Headers] = None, max_message_bytes: int = 1_048_576) -> WebSocket:
        """Opens it. A message above `max_message_bytes` closes it with 1009."""


class AsyncHandshake(Protocol):
    """The same for an asynchronous handler."""

    subprotocols: list[str]

    async def accept(self, subprotocol: Optional[str] = None, headers: Optional[Headers] = None, max_message_bytes: int = 1_048_576) -> AsyncWebSocket: ...


class _Request(TypedDict):

    #: The JSON body, parsed; the text itself when it is no JSON; None when there is none.
    body: Any
    #: The bytes as they came. With `stream_body` this and `body` are None.
    raw_body: bytes
    #: Names as they came; repeated ones joined by ", ".
    headers: dict[str, str]
    #: The method, in capitals.
    verb: str
    #: Without the query.
    path: str
    #: The target as it came.
    raw_path: str
    #: The last value of each name.
    query: dict[str, str]
    query_all: dict[str, list[str]]
    #: What `:name` and `*` in the event key matched.
    params: dict[str, str]
    #: "http", "cron" or "queue".
    message_type: str


class Message(_Request, total=False):
    """The request."""

    #: With `stream_body`.
    stream: Stream
    #: With `websocket`: None when the request is no handshake.
    websocket: Optional[Handshake]


class AsyncMessage(_Request, total=False):
    """The request of an asynchronous handler."""

    stream: AsyncStream
    websocket: Optional[AsyncHandshake]


class Context(Protocol):
    """The circumstances of the call; its attributes are keys too."""

    correlation_id: str
    instance_id: str
    function_name: str
    #: Seconds since the epoch, after which nobody wants the answer.
    deadline: float
    message_queue_uri: str

    @property
    def secrets(self) -> Mapping[str, str]:
        """The values of the secrets that the function is registered with, by name."""

    @property
    def logger(self) -> logging.Logger:
        """Writes to the log of the invocation. The level is that of the variable LOG_LEVEL, INFO without it."""

    def remaining_ms(self) -> float:
        """Milliseconds until the deadline; 0 when it has passed."""

    def trace_headers(self) -> dict[str, str]:
        """What a request to elsewhere carries so that traces join up: traceparent and tracestate (W3C Trace Context), as far as the caller sent them."""

    def __getitem__(self, name: str) -> Any: ...


class Response(TypedDict, total=False):
    """A response with a status and headers, as AWS Lambda knows it behind API Gateway."""

    statusCode: int
    headers: Headers
    multiValueHeaders: Mapping[str, Iterable[str]]
    cookies: Union[str, Iterable[str]]
    body: Any
    isBase64Encoded: bool


Result = Union[Response, Mapping[str, Any], list[Any], str, bytes, int, float, bool, None, Iterable[Union[str, bytes]], AsyncIterable[Union[str, bytes]]]
Handler = Union[Callable[[Message, Context], Union[Result, Awaitable[Result]]], Callable[[AsyncMessage, Context], Union[Result, Awaitable[Result]]]]

__all__ = ["AsyncMessage", "AsyncWebSocket", "Context", "Handler", "Message", "Response", "Result", "WebSocket"]
