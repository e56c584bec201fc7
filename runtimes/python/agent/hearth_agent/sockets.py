"""WebSockets as handlers see them: `message["websocket"]`, and what its `accept` gives."""

from time import monotonic

from . import result, websocket
from .connection import Connection, message_frame
from .websocket import WebSocketClosed

#: How long the peer has to answer a close. Seconds.
_CLOSE_SECONDS = 2
_RESERVED = ("sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol")


class Handshake:
    """A WebSocket that the caller asks for. A handler that returns without `accept` answers as any other."""

    def __init__(self, invoke, body):
        self._body = body
        self._key = ""
        #: Those that the caller can speak, in its order of preference.
        self.subprotocols = []
        pairs = invoke["headers"]
        for name, value in zip(pairs[::2], pairs[1::2]):
            name = name.lower()
            if name == "sec-websocket-key":
                self._key = value
            elif name == "sec-websocket-protocol":
                self.subprotocols += [one for one in (part.strip() for part in value.split(",")) if one]

    def _open(self, kind, subprotocol, headers, max_message_bytes):
        body = self._body
        if body.connection is not None:
            raise RuntimeError("the WebSocket has been accepted already")
        if body.answered:
            raise RuntimeError("an answer has begun, so the WebSocket can't be accepted any more")
        if subprotocol is not None and subprotocol not in self.subprotocols:
            raise ValueError("the caller has not offered the subprotocol %r, only %r" % (subprotocol, self.subprotocols))
        if not isinstance(max_message_bytes, int) or max_message_bytes < 1:
            raise ValueError("max_message_bytes is a number from 1 on, not %r" % (max_message_bytes,))
        if body.error is not None:
            raise WebSocketClosed(websocket.ABNORMAL)
        answer = ["Sec-WebSocket-Accept", websocket.accept_key(self._key)]
        if subprotocol is not None:
            answer += ("Sec-WebSocket-Protocol", subprotocol)
        given = []
        result.add_headers(given, headers, "headers")
        for name in given[::2]:
            if name.lower() in _RESERVED:
                raise ValueError("the header %s is the runtime's own" % name)
        connection = kind(body, subprotocol, max_message_bytes)
        body.carrier.send_head(body.ident, result.head(101, answer + given, True))
        body.connection = connection
        return connection


class PlainHandshake(Handshake):
    def accept(self, subprotocol=None, headers=None, max_message_bytes=websocket.MAX_MESSAGE_BYTES):
        """
        Opens the WebSocket. `subprotocol`: one of `subprotocols`. `headers`: of the answer, as those of a response. A message longer than `max_message_bytes`
        closes it with 1009. Raises WebSocketClosed when the caller is gone.
        """
        return self._open(WebSocket, subprotocol, headers, max_message_bytes)


class AsyncHandshake(Handshake):
    async def accept(self, subprotocol=None, headers=None, max_message_bytes=websocket.MAX_MESSAGE_BYTES):
        """As that of a plain handler."""
        return self._open(AsyncWebSocket, subprotocol, headers, max_message_bytes)


class WebSocket(Connection):
    """Of a plain handler. Iterating gives messages, str or bytes, until it is closed. Pings are answered while it receives or sends."""

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self.receive()
        except WebSocketClosed:
            raise StopIteration from None

    def receive(self):
        """The next message. Raises WebSocketClosed."""
        while True:
            value = self._next()
            if value is not None:
                return value
            self._body.wait(self.progresses)

    def send(self, data):
        """A text, or bytes; waits while the peer doesn't read. Raises WebSocketClosed."""
        self._send(message_frame(data))

    def ping(self, data=b""):
        """At most 125 bytes."""
        self._send(websocket.encode_ping(data))

    def _send(self, frame):
        self._body.look()
        self.pump()
        self._begin_send(frame)
        while self._is_held_up():
            self._body.wait(self.progresses)

    def close(self, code=1000, reason=""):
        """Closes it and waits for the peer's answer, at most two seconds."""
        self._begin_close(code, reason)
        end = monotonic() + _CLOSE_SECONDS
        while self._awaits_close():
            left = end - monotonic()
            if left <= 0:
                break
            self._body.wait(self.progresses, left)
        self._end_close()


class AsyncWebSocket(Connection):
    """Of an asynchronous handler."""

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return await self.receive()
        except WebSocketClosed:
            raise StopAsyncIteration from None

    async def receive(self):
        """The next message. Raises WebSocketClosed."""
        while True:
            value = self._next()
            if value is not None:
                return value
            await self._body.wait(self.progresses)

    async def send(self, data):
        """A text, or bytes; waits while the peer doesn't read. Raises WebSocketClosed."""
        await self._send(message_frame(data))

    async def ping(self, data=b""):
        """At most 125 bytes."""
        await self._send(websocket.encode_ping(data))

    async def _send(self, frame):
        self._begin_send(frame)
        # Whoever does nothing but send lets others run, and what comes be read.
        await _Turn()
        while self._is_held_up():
            await self._body.wait(self.progresses)

    async def close(self, code=1000, reason=""):
        """Closes it and waits for the peer's answer, at most two seconds."""
        self._begin_close(code, reason)
        end = monotonic() + _CLOSE_SECONDS
        while self._awaits_close():
            left = end - monotonic()
            if left <= 0:
                break
            await self._body.wait(self.progresses, left)
        self._end_close()


class _Turn:
    """One turn of the loop."""

    def __await__(self):
        yield
