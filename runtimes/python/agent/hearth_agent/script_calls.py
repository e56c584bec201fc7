"""A script's invocations of other functions: a connection to the template for each, on which the channel's frames travel."""

import json
from _socket import AF_UNIX, SOCK_STREAM, socket

from . import frames
from .calls import Call

_READ_BYTES = 65536


class ScriptCalls:
    def __init__(self, address):
        self._address = address

    def call(self, head, body):
        """A Call that is over."""
        call = Call()
        sock = socket(AF_UNIX, SOCK_STREAM)
        try:
            sock.connect(self._address)
            sock.sendall(frames.encode(frames.CALL, 1, json.dumps(head).encode()))
            for frame in frames.encode_body(frames.CALL_BODY, 1, body):
                sock.sendall(frame)
            decoder = frames.Decoder()
            while not call.done:
                data = sock.recv(_READ_BYTES)
                if not data:
                    raise ConnectionError("the platform has hung up")
                for kind, _, payload in decoder.feed(data):
                    call.take(kind, payload)
        finally:
            sock.close()
        return call

    async def acall(self, head, body):
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(None, self.call, head, body)
