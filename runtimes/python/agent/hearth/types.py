"""What a handler is given and may return, for annotations and editors. Nothing here is needed at run time."""

import logging
from collections.abc import AsyncIterable, Awaitable, Iterable, Mapping
from typing import Any, Callable, Protocol, TypedDict, Union


class Message(TypedDict):
    """The request."""

    #: The JSON body, parsed; the text itself when it is no JSON; None when there is none.
    body: Any
    #: The bytes as they came.
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
    headers: Mapping[str, Union[str, int, float, bool, Iterable[str]]]
    multiValueHeaders: Mapping[str, Iterable[str]]
    cookies: Union[str, Iterable[str]]
    body: Any
    isBase64Encoded: bool


Result = Union[Response, Mapping[str, Any], list[Any], str, bytes, int, float, bool, None, Iterable[Union[str, bytes]], AsyncIterable[Union[str, bytes]]]
Handler = Callable[[Message, Context], Union[Result, Awaitable[Result]]]

__all__ = ["Context", "Handler", "Message", "Response", "Result"]
