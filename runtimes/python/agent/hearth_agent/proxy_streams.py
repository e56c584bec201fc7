"""
Style `server`: requests whose bodies are passed on as they come, and WebSockets, of which only bytes are passed on. Each has a connection of its own, so
that nothing has ever to be sent twice.
"""

from collections import deque

from . import errors, frames, result
from .proxy import Exchange
from .proxy_head import passed, request_head

#: What the program has been given is told in portions of this size.
_CREDIT_BYTES = frames.STREAM_WINDOW // 4


class BodyExchange(Exchange):
    """One invocation whose body comes while the program reads it."""

    __slots__ = ("is_sent", "_waiting", "_ended", "_chunked", "_flying", "_consumed")

    def __init__(self, proxy, invocation):
        self.is_sent = False
        self._waiting = deque()
        self._ended = False
        self._chunked = False
        #: Bytes that the connection is sending, and that were sent and not credited yet.
        self._flying = 0
        self._consumed = 0
        super().__init__(proxy, invocation)

    def make_request(self, invocation):
        headers = invocation.invoke["headers"]
        length = next((value for name, value in zip(headers[::2], headers[1::2]) if name.lower() == "content-length"), None)
        self._chunked = length is None
        return request_head(invocation.invoke, ["Transfer-Encoding: chunked" if length is None else "Content-Length: %s" % length])

    def take(self, data):
        """A piece of the body."""
        self._waiting.append(data)
        self._wake()

    def end(self):
        """All of it has come."""
        self._ended = True
        self._wake()

    def _wake(self):
        if self.connection is not None:
            self.connection.wake()

    def next_piece(self):
        self._consumed += self._flying
        self._flying = 0
        if self._consumed >= _CREDIT_BYTES:
            self.proxy.supervisor.credit(self.invocation, self._consumed)
            self._consumed = 0
        if self._waiting:
            data = self._waiting.popleft()
            self._flying = len(data)
            return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
        if not self._ended or self.is_sent:
            return b""
        self.is_sent = True
        return self._after_last()

    def _after_last(self):
        return b"0\r\n\r\n" if self._chunked else b""


class WebSocketExchange(BodyExchange):
    """A handshake; once the program has accepted it, bytes both ways until either side ends."""

    __slots__ = ("_is_open", "_uncredited", "_held", "_program_ended")

    may_upgrade = True

    def __init__(self, proxy, invocation):
        self._is_open = False
        #: Of the answer, sent and not credited yet.
        self._uncredited = 0
        self._held = b""
        self._program_ended = False
        super().__init__(proxy, invocation)

    def make_request(self, invocation):
        return request_head(invocation.invoke, ["Connection: Upgrade", "Upgrade: websocket"])

    def _after_last(self):
        self.connection.end_sending()
        return b""

    def on_head(self, head, whole):
        if head.start[1] != "101":
            super().on_head(head, whole)
            return
        self.request = None
        try:
            accepted = result.head(101, passed(head), True)
        except errors.FunctionError as error:
            self.connection.close()
            self.proxy.supervisor.fail(self.invocation, "InvalidAnswer", str(error))
            return
        self._is_open = True
        self.proxy.supervisor.reply_head(self.invocation, accepted)

    def on_body(self, data):
        if not self._is_open:
            super().on_body(data)
            return
        self._held = self._held + data if self._held else data
        self._pass()

    def credited(self, count):
        """So many bytes have been given to the caller."""
        self._uncredited -= count
        self._pass()

    def on_end(self):
        if not self._is_open:
            super().on_end()
            return
        self.connection = None
        self._program_ended = True
        self._pass()

    def on_lost(self, reason, may_repeat):
        if self._is_open:
            # It may end a WebSocket by a reset as well.
            self.on_end()
        else:
            super().on_lost(reason, may_repeat)

    def _pass(self):
        """As much as the window allows of what the program has sent."""
        room = frames.STREAM_WINDOW - self._uncredited
        piece = self._held[:room]
        if piece:
            self._held = self._held[len(piece) :]
            self._uncredited += len(piece)
            self.proxy.supervisor.reply_piece(self.invocation, piece)
        if self.connection is not None:
            self.connection.hold(bool(self._held))
        elif self._program_ended and not self._held:
            self.proxy.supervisor.reply_end(self.invocation)


def exchange_of(proxy, invocation):
    kind = WebSocketExchange if invocation.invoke.get("upgrade") == "websocket" else BodyExchange
    return kind(proxy, invocation)
