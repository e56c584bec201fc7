"""Handlers that get the body of a request as it comes (`stream_body`), or WebSockets (`websocket`)."""

from struct import Struct

from . import errors, frames, waiting
from .body import AsyncBody, Body
from .boot import parse_invoke
from .handler import Server
from .message import fill
from .request import make_context, make_message
from .websocket import WebSocketClosed

_Credit = Struct(">I")


def _unpack_credit(payload):
    if len(payload) != 4:
        raise frames.ProtocolError("a credit is a number of four bytes")
    return _Credit.unpack(payload)[0]


class StreamingServer(Server):
    """Every frame goes by here as it is read, whoever reads it: those of a body that has begun to come are the body's, and never wait behind others."""

    def prepare(self, load):
        self._stream_body = bool(load.get("streamBody"))
        self._websocket = bool(load.get("websocket"))
        self._make_body = AsyncBody if self.function.is_async else Body
        self.channel.keep = self._keep

    # --- frames

    def _keep(self, frame):
        kind, ident, payload = frame
        if kind == frames.INVOKE:
            invoke = parse_invoke(payload, streamed=True)
            if invoke["bodyLength"] is None:
                self.bodies[ident] = self._make_body(ident, self)
            frame = (kind, ident, invoke)
        elif ident in self.bodies:
            body = self.bodies[ident]
            if kind == frames.INVOKE_BODY:
                if not body.feed(payload):
                    raise frames.ProtocolError("more of a body came than was credited")
                return
            if kind == frames.INVOKE_END:
                body.end()
                return
            if kind == frames.REPLY_CREDIT:
                body.credit_answer(_unpack_credit(payload))
                return
            if kind == frames.CANCEL:
                body.break_off(ConnectionResetError("the invocation was cancelled"))
        self.channel.received.append(frame)

    def accept(self, frame):
        kind, ident, payload = frame
        if kind == frames.INVOKE:
            return self._accept_invoke(ident, payload)
        if kind == frames.INVOKE_END or kind == frames.REPLY_CREDIT:
            return None  # of an invocation that is over
        return super().accept(frame)

    def _accept_invoke(self, ident, invoke):
        size = invoke["bodyLength"]
        if size is None:
            body = self.bodies[ident]
            if body.error is None:
                return ident, invoke, body
            self.fail(ident, errors.FunctionError("Cancelled", "the invocation was cancelled before it began"))
        elif size == 0:
            return ident, invoke, b""
        else:
            self.incomplete[ident] = (invoke, size, [])
        return None

    def arguments(self, invoke, raw):
        if self.function.arity == 0:
            return ()
        whole = type(raw) is bytes
        message = make_message(invoke, raw if whole else b"")
        body = Body.whole(0, self, raw) if whole else raw
        message = fill(message, body, invoke, self._stream_body, self._websocket, self.function.is_async)
        return (message, make_context(invoke, self.name, self.message_queue)) if self.function.arity == 2 else (message,)

    # --- what bodies and WebSockets ask for

    def credit(self, ident, size):
        self.channel.send(frames.encode(frames.INVOKE_CREDIT, ident, _Credit.pack(size)))

    def wait(self, ready, signal, seconds):
        if self.channel.sock.fileno() < 0:
            raise RuntimeError("the body of a request is read in the function's own process, not in one that it has forked")
        waiting.wait(self, ready, signal, seconds)

    def look(self):
        waiting.look(self)

    def send_head(self, ident, payload):
        self.channel.send(frames.encode(frames.REPLY_HEAD, ident, payload))

    def send_piece(self, ident, data):
        for frame in frames.encode_body(frames.REPLY_BODY, ident, data):
            self.channel.send(frame)

    # --- ends

    def connection(self, ident):
        """The WebSocket that the invocation has accepted, or None."""
        body = self.bodies.get(ident)
        return None if body is None else body.connection

    def begin_answer(self, ident):
        """An answer of pieces begins. Raises where a WebSocket is the answer."""
        body = self.bodies.get(ident)
        if body is None:
            return
        if body.connection is not None:
            raise errors.FunctionError("TypeError", "a handler that has accepted a WebSocket sends by it, and yields nothing")
        body.answered = True

    def reply(self, ident, shaped):
        self.over(ident)
        super().reply(ident, shaped)

    def fail(self, ident, error):
        connection = self.connection(ident)
        if connection is not None:
            if type(error) is WebSocketClosed and connection.peer_closed:
                self.end(ident)  # that the peer has left is no failure
                return
            gone = type(error) is errors.FunctionError and error.kind == "Cancelled"
            if not gone and self.loop is None:
                connection.close(1011)
            connection.end(1001 if gone else 1011)
        self.over(ident)
        super().fail(ident, error)

    def hang_up(self, ident):
        """Ends an invocation that has returned after it accepted a WebSocket. False when it accepted none."""
        connection = self.connection(ident)
        if connection is None:
            return False
        connection.close()
        self.end(ident)
        return True

    async def hang_up_async(self, ident):
        """The same of an asynchronous handler."""
        connection = self.connection(ident)
        if connection is None:
            return False
        from asyncio import CancelledError

        try:
            await connection.close()
        except CancelledError:
            pass  # it has done its work; only the peer's close is missing
        self.end(ident)
        return True

    async def fail_async(self, ident, error):
        """The close of an asynchronous handler that has raised, before `fail`."""
        connection = self.connection(ident)
        if connection is not None and not (type(error) is WebSocketClosed and connection.peer_closed):
            await connection.close(1011)

    def end(self, ident):
        """A WebSocket's invocation is over, and succeeded."""
        self.connection(ident).end(1000)
        self.over(ident)
        self.channel.send(self.outputs.end(ident) + frames.encode(frames.REPLY_END, ident))

    def over(self, ident):
        """What comes for it from now on is nobody's."""
        body = self.bodies.pop(ident, None)
        if body is not None:
            body.break_off(ValueError("the invocation is over"))
