"""The message of a handler that gets bodies as they come, or WebSockets."""

from .body import AsyncStream, Stream
from .sockets import AsyncHandshake, PlainHandshake


class Message(dict):
    """A dict whose keys are attributes too."""

    __slots__ = ()

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def fill(message, body, invoke, stream_body, websocket, is_async):
    """An ordinary message with what such a handler finds besides."""
    message = Message(message)
    if stream_body:
        message["body"] = message["raw_body"] = None
        message["stream"] = (AsyncStream if is_async else Stream)(body)
    if websocket:
        upgrades = invoke.get("upgrade") == "websocket"
        message["websocket"] = (AsyncHandshake if is_async else PlainHandshake)(invoke, body) if upgrades else None
    return message
