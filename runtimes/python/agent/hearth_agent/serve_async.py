"""An asynchronous handler: one event loop in the main thread, as many invocations at a time as come."""

import os
from _thread import get_ident

from . import result
from .channel import ChannelClosed
from .errors import FunctionError, fatal
from .frames import ProtocolError
from .handler import StreamWriter


def serve(server, _concurrency):
    import asyncio

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    server.reader = get_ident()
    server.loop = loop
    _LoopServer(server, loop, asyncio).start()
    loop.run_forever()
    os._exit(0)


def _cancelled():
    return FunctionError("Cancelled", "the invocation was cancelled")


class _LoopServer:
    def __init__(self, server, loop, asyncio):
        self._server = server
        self._loop = loop
        self._asyncio = asyncio
        self._variable = server.use_context_variable()
        self._tasks = {}

    def start(self):
        channel = self._server.channel
        if self._server.tunnel is not None:
            self._server.tunnel.on_frames = lambda: self._loop.call_soon_threadsafe(self._drain)
        self._loop.add_reader(channel.sock.fileno(), self._readable)
        self._drain()

    def _readable(self):
        channel = self._server.channel
        try:
            if not channel.reading.acquire(False):
                return  # the tunnel's thread is reading and tells us
            try:
                channel.receive_now()
            finally:
                channel.reading.release()
            self._drain()
        except ChannelClosed:
            os._exit(0)
        except ProtocolError as error:
            fatal("protocol error: %s" % error)

    def _drain(self):
        server = self._server
        received = server.channel.received
        try:
            while received:
                call = server.accept(received.popleft())
                if call is None:
                    continue
                if call[0] == "cancel":
                    task = self._tasks.get(call[1])
                    if task is not None:
                        task.cancel()
                    continue
                self._begin(*call)
        except ProtocolError as error:
            fatal("protocol error: %s" % error)
        if server.closing and not self._tasks and not server.incomplete:
            server.exit()

    def _begin(self, ident, invoke, raw):
        token = self._variable.set(ident)  # a task copies the context that it is made in
        self._server.outputs.live.add(ident)
        self._tasks[ident] = self._loop.create_task(self._run(ident, invoke, raw))
        self._tasks[ident].add_done_callback(lambda _task: self._ended(ident))
        self._variable.reset(token)

    async def _run(self, ident, invoke, raw):
        server = self._server
        try:
            value = server.function.call(*server.arguments(invoke, raw))
            if hasattr(value, "__await__"):
                value = await value
            shaped = None if server.bodies and await server.hang_up_async(ident) else result.shape(value)
            if shaped is None:
                pass  # a WebSocket was its answer
            elif type(shaped) is tuple:
                server.reply(ident, shaped)
            elif shaped.is_async:
                await self._stream(ident, shaped)
            else:
                server.stream(ident, shaped)
        except self._asyncio.CancelledError:
            server.fail(ident, _cancelled())
        except BaseException as error:  # noqa: B036 - SystemExit would end the loop, and with it everybody's invocations
            if server.bodies:
                await server.fail_async(ident, error)
            server.fail(ident, error)
        self._ended(ident, answered=True)

    def _ended(self, ident, answered=False):
        server = self._server
        if self._tasks.pop(ident, None) is None:
            return
        if not answered:
            # Cancelled before its first step, of which the coroutine itself hears nothing.
            server.fail(ident, _cancelled())
        if server.closing and not self._tasks:
            server.exit()

    async def _stream(self, ident, streamed):
        writer = StreamWriter(self._server, ident, streamed)
        source = streamed.source
        try:
            async for item in source:
                writer.write(item)
        finally:
            if hasattr(source, "aclose"):
                await source.aclose()
        if not (self._server.bodies and await self._server.hang_up_async(ident)):
            writer.end()

