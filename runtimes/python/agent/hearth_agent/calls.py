"""A handler's invocations of other functions: frames out, and whoever waits reads the channel when nobody else does."""

import json
from _thread import allocate_lock, get_ident

from . import frames, handler, waiting
from .fast_json import loads


class Call:
    """sent → head → whole, or sent → failed."""

    __slots__ = ("head", "error", "pieces", "missing", "done", "over", "wake")

    def __init__(self):
        self.head = None
        self.error = None
        self.pieces = []
        self.missing = 0
        self.done = False
        #: Held until it is over.
        self.over = allocate_lock()
        self.over.acquire()
        self.wake = None

    def take(self, kind, payload):
        """A frame about it. True when it is over."""
        if kind == frames.CALL_REPLY:
            self.head = loads(payload.decode())
            self.missing = self.head["bodyLength"]
        elif kind == frames.CALL_REPLY_BODY:
            self.pieces.append(payload)
            self.missing -= len(payload)
        else:
            self.error = loads(payload.decode())
            self.missing = 0
        self.done = self.missing <= 0
        return self.done


def transport():
    """What carries the calls of this process. Raises RuntimeError where there is none."""
    server = handler.server
    if server is None:
        from . import child

        return _of_script(child.calls_address)
    if server.channel.sock.fileno() < 0:
        raise RuntimeError("hearth.invoke works in the function's own process, not in one that it has forked")
    if server.calls is None:
        server.calls = Calls(server)
    return server.calls


def _of_script(address):
    if address is None:
        return None
    from .script_calls import ScriptCalls

    return ScriptCalls(address)


class Calls:
    def __init__(self, server):
        self._server = server
        self._channel = server.channel
        self._pending = {}
        self._next = 1
        self._sending = allocate_lock()
        server.channel.on_call = self._deliver

    def call(self, head, body):
        """A Call that is over."""
        server = self._server
        if server.loop is not None and get_ident() == server.reader:
            raise RuntimeError("hearth.invoke would stop the event loop that its answer comes by: `await hearth.ainvoke(…)` instead")
        call = self._begin(head, body, None)
        self._wait(call)
        return call

    async def acall(self, head, body):
        import asyncio

        loop = asyncio.get_running_loop()
        if loop is not self._server.loop:
            # A loop of the function's own, beside which nobody reads the channel.
            call = self._begin(head, body, None)
            await loop.run_in_executor(None, self._wait, call)
            return call
        future = loop.create_future()

        def finish():
            if not future.done():
                future.set_result(None)

        call = self._begin(head, body, lambda: loop.call_soon_threadsafe(finish))
        await future
        return call

    def _begin(self, head, body, wake):
        ident = self._server.outputs.current()
        if not ident:
            raise RuntimeError("hearth.invoke works while an invocation runs, in its own thread or task; here none does")
        head["invocation"] = ident
        call = Call()
        call.wake = wake
        payload = json.dumps(head).encode()
        with self._sending:
            number = self._next
            self._next += 1
            self._pending[number] = call
            self._channel.send(frames.encode(frames.CALL, number, payload))
            for frame in frames.encode_body(frames.CALL_BODY, number, body):
                self._channel.send(frame)
        return call

    def _deliver(self, frame):
        kind, number, payload = frame
        call = self._pending.get(number)
        if call is None or not call.take(kind, payload):
            return
        del self._pending[number]
        call.over.release()
        if call.wake is not None:
            call.wake()

    def _wait(self, call):
        waiting.wait(self._server, lambda: call.done, call.over)
