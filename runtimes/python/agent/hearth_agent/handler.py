"""Handler style: the code is loaded once, `handler(message, context)` called for each invocation."""

import json
import os
import sys

from . import errors, frames, load as loading, result, signature
from .boot import parse_invoke
from .output import Outputs
from .request import make_context, make_message


#: Of this process, once the function is loaded.
server = None


def load(channel, load, source, listeners):
    """Loads the function, says Ready, and returns what serves invocations for ever."""
    name = load["function"]
    concurrency = max(1, int(load.get("concurrency", 1)))
    current = _Current()
    outputs = Outputs(channel, current.get)
    outputs.install()
    sys.argv = [loading.filename_of(load)]
    loading.make_module("__main__", None).__dict__.pop("__file__")  # not the agent's own, for whoever looks
    tunnel = None
    if listeners:
        from .tunnel_thread import TunnelThread

        # Before the code, which may connect while it is loaded.
        tunnel = TunnelThread(channel, listeners)
        tunnel.start()
    function = _find_handler(load, source)
    where = load.get("streamListen")
    global server
    kind = Server
    if load.get("streamBody") or load.get("websocket"):
        from .streaming import StreamingServer as kind
    server = kind(channel, outputs, current, function, name, where["name"] if where else "message_queue")
    server.tunnel = tunnel
    if kind is not Server:
        server.prepare(load)
    os.register_at_fork(after_in_child=server.forget)
    if function.is_async:
        from .serve_async import serve
    elif concurrency > 1:
        from .serve_threads import serve
    else:
        from .serve_one import serve
    ready = {"concurrency": concurrency, "preloaded": [], "excluded": []}
    channel.send(frames.encode(frames.READY, 0, json.dumps(ready).encode()))
    return lambda: serve(server, concurrency)


def _find_handler(load, source):
    filename = loading.filename_of(load)
    text = loading.decode_source(source)
    _, code = loading.compile_function(text, filename)
    loading.keep_fork_as_start_method(text)
    module = loading.make_module(_module_name(load), filename)
    module.__package__ = module.__name__.rpartition(".")[0]
    exec(code, module.__dict__)
    handler = getattr(module, "handler", None)
    if handler is not None:
        return signature.Function(handler)
    from . import shapes

    function = shapes.find(module)
    if function is None:
        raise errors.FunctionError("LoadError", "the code defines no `handler`")
    if load.get("streamBody"):
        raise errors.FunctionError("LoadError", "with `stream_body` the code must define `handler`: `handle` and `main` take whole bodies")
    return function


def _module_name(load):
    if "bundle" not in load:
        return "function"
    from . import bundle

    return bundle.module_name(load["bundle"]["entry"]) or "function"


class _Current:
    """Which invocation runs here: one at a time by default; the servers of several put a context variable's methods in place."""

    __slots__ = ("ident", "get")

    def __init__(self):
        self.ident = 0
        self.get = lambda: self.ident


class Server:
    """What the three ways to serve (one at a time, threads, a loop) have in common."""

    def __init__(self, channel, outputs, current, function, name, message_queue):
        self.channel = channel
        self.outputs = outputs
        self.current = current
        self.function = function
        self.name = name
        self.message_queue = message_queue
        self.tunnel = None
        self.closing = False
        #: Thread that always reads the channel; None where it is read between two invocations only.
        self.reader = None
        #: The event loop of an asynchronous handler.
        self.loop = None
        #: What it has called; None until it calls something.
        self.calls = None
        #: Invocations whose body hasn't come in whole.
        self.incomplete = {}
        #: Invocations whose body comes while they run, and WebSockets.
        self.bodies = {}

    def forget(self):
        """In a process that the function forked: the channel and what is printed are the parent's business."""
        self.outputs.forget()
        self.channel.forget()
        if self.tunnel is not None:
            self.tunnel.forget()

    def use_context_variable(self):
        """Attributes output by context instead of 'whatever runs now'. Returns the variable."""
        from contextvars import ContextVar

        variable = ContextVar("hearth_invocation", default=0)
        self.outputs.current = variable.get
        return variable

    def accept(self, frame):
        """(id, invoke, raw body) once an invocation has come in whole; ("cancel", id) for a Cancel; else None."""
        kind, ident, payload = frame
        if kind == frames.INVOKE:
            invoke = parse_invoke(payload)
            size = invoke["bodyLength"]
            if size == 0:
                return ident, invoke, b""
            self.incomplete[ident] = (invoke, size, [])
            return None
        if kind == frames.INVOKE_BODY:
            return self._body(ident, payload)
        if kind == frames.CANCEL:
            if self.incomplete.pop(ident, None) is not None:
                self.fail(ident, errors.FunctionError("Cancelled", "the invocation was cancelled before it had come in whole"))
                return None
            return "cancel", ident
        if kind == frames.SHUTDOWN:
            self.closing = True
            return None
        raise frames.ProtocolError("type 0x%02x came after Ready" % kind)

    def _body(self, ident, payload):
        entry = self.incomplete.get(ident)
        if entry is None:
            return None  # cancelled while its body was on the way
        invoke, missing, pieces = entry
        missing -= len(payload)
        pieces.append(payload)
        if missing > 0:
            self.incomplete[ident] = (invoke, missing, pieces)
            return None
        if missing < 0:
            raise frames.ProtocolError("more body came than Invoke announced")
        del self.incomplete[ident]
        return ident, invoke, pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def arguments(self, invoke, raw):
        count = self.function.arity
        if count == 2:
            return make_message(invoke, raw), make_context(invoke, self.name, self.message_queue)
        return (make_message(invoke, raw),) if count == 1 else ()

    def reply(self, ident, shaped):
        """A whole response; the invocation is over."""
        pieces = result.complete(ident, *shaped)
        logs = self.outputs.end(ident)
        send = self.channel.send
        if logs:
            send(logs + pieces[0])
            pieces = pieces[1:]
        for piece in pieces:
            send(piece)

    def fail(self, ident, error):
        """Anything raised; the invocation is over."""
        told = errors.error_object(error)
        trace = frames.encode(frames.LOG_ERR, ident, told["trace"].encode("utf-8", "backslashreplace")) if told["trace"] else b""
        self.channel.send(self.outputs.end(ident) + trace + frames.encode(frames.FAILED, ident, json.dumps(told).encode()))

    def stream(self, ident, streamed):
        """Sends the pieces of a synchronous iterator as they come."""
        writer = StreamWriter(self, ident, streamed)
        try:
            for item in streamed.source:
                writer.write(item)
        finally:
            close = getattr(streamed.source, "close", None)
            if close is not None:
                close()
        if not (self.bodies and self.hang_up(ident)):
            writer.end()

    def exit(self):
        """Shutdown was asked for and nothing runs."""
        import atexit

        try:
            atexit._run_exitfuncs()
        except BaseException as error:
            errors.show_uncaught(error)
        self.outputs.out.flush()
        self.outputs.err.flush()
        os._exit(0)


class StreamWriter:
    """ReplyHead with the first piece, so that what fails before it is still a clean failure; then piece by piece."""

    def __init__(self, server, ident, streamed):
        self._server = server
        self._ident = ident
        self._streamed = streamed
        self._started = False

    def write(self, item):
        if self._server.bodies and not self._started:
            self._server.begin_answer(self._ident)
        data = result.piece(item)
        parts = list(frames.encode_body(frames.REPLY_BODY, self._ident, data))
        if not self._started:
            self._started = True
            parts.insert(0, frames.encode(frames.REPLY_HEAD, self._ident, self._streamed.head(item)))
        for part in parts:
            self._server.channel.send(part)

    def end(self):
        if self._server.bodies:
            self._server.over(self._ident)
        data = self._server.outputs.end(self._ident)
        if not self._started:
            data += frames.encode(frames.REPLY_HEAD, self._ident, self._streamed.head(None))
        self._server.channel.send(data + frames.encode(frames.REPLY_END, self._ident))


def run_sync(server, ident, invoke, raw):
    """One invocation of a synchronous handler, in whatever thread this is. Never raises what the function raised."""
    outputs = server.outputs
    outputs.live.add(ident)
    try:
        value = server.function.call(*server.arguments(invoke, raw))
        if hasattr(value, "__await__"):
            value = _await(value)
        if server.bodies and server.hang_up(ident):
            return
        shaped = result.shape(value)
        if type(shaped) is not tuple:
            if shaped.is_async:
                shaped.source = _iterate(shaped.source)
            server.stream(ident, shaped)
            return
    except BaseException as error:  # noqa: B036 - SystemExit and KeyboardInterrupt of a handler are failures of it
        server.fail(ident, error)
        return
    server.reply(ident, shaped)


def _await(awaitable):
    import asyncio

    async def wait():
        return await awaitable

    return asyncio.run(wait())


def _iterate(source):
    """An async iterator as a generator, in a loop of its own."""
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        while True:
            try:
                yield loop.run_until_complete(source.__anext__())
            except StopAsyncIteration:
                return
    finally:
        if hasattr(source, "aclose"):
            loop.run_until_complete(source.aclose())
        loop.close()
