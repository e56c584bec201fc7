"""In the template: takes calls from the processes of scripts, and carries them over the channel."""

import json
import os
from _socket import AF_UNIX, SO_PEERCRED, SOCK_STREAM, SOL_SOCKET, socket
from collections import deque
from select import POLLIN, POLLOUT
from struct import unpack

from . import frames
from .fast_json import loads

READ_BYTES = 65536
#: Connections at a time; who comes beyond waits to be accepted.
MAX_CONNECTIONS = 256


class _Connection:
    __slots__ = ("sock", "caller", "decoder", "call", "unsent")

    def __init__(self, sock, caller):
        self.sock = sock
        self.caller = caller
        self.decoder = frames.Decoder()
        #: Id of its call on the channel; None before it has made one.
        self.call = None
        self.unsent = deque()


class CallRelay:
    """
    Owned by the template's loop: `watch(descriptor, callback, events)` and `unwatch(descriptor)` are its. `caller_of(pid)` tells whose invocation a
    process belongs to: the kernel vouches for the process, so that one invocation can't call in the name of another.
    """

    def __init__(self, watch, unwatch, send, caller_of):
        self._watch = watch
        self._unwatch = unwatch
        self._send = send
        self._caller_of = caller_of
        self._next = 1
        self._connections = set()
        self._by_call = {}
        self._paused = False
        #: In the abstract name space: a script may empty its /tmp.
        self.address = b"\0hearth-calls-" + os.urandom(12).hex().encode()
        self._listener = socket(AF_UNIX, SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(64)
        self._listener.setblocking(False)
        self._update_listener()

    def descriptors(self):
        return [self._listener.fileno(), *(connection.sock.fileno() for connection in self._connections)]

    def pause(self, paused):
        if paused == self._paused:
            return
        self._paused = paused
        self._update_listener()
        for connection in self._connections:
            self._update(connection)

    def deliver(self, frame):
        """A frame of the platform about a call; dropped when whoever made it has gone."""
        kind, number, payload = frame
        connection = self._by_call.get(number)
        if connection is not None:
            self._reply(connection, frames.encode(kind, 1, payload))

    def _update_listener(self):
        if self._paused or len(self._connections) >= MAX_CONNECTIONS:
            self._unwatch(self._listener.fileno())
        else:
            self._watch(self._listener.fileno(), self._acceptable, POLLIN)

    def _acceptable(self, _events):
        try:
            descriptor, _ = self._listener._accept()
        except OSError:
            return
        sock = socket(AF_UNIX, SOCK_STREAM, 0, descriptor)
        sock.setblocking(False)
        pid, _, _ = unpack("3i", sock.getsockopt(SOL_SOCKET, SO_PEERCRED, 12))
        connection = _Connection(sock, self._caller_of(pid) if pid > 0 else None)
        self._connections.add(connection)
        self._update(connection)
        self._update_listener()

    def _update(self, connection):
        events = (0 if self._paused else POLLIN) | (POLLOUT if connection.unsent else 0)
        descriptor = connection.sock.fileno()
        if events:
            self._watch(descriptor, lambda seen: self._ready(connection, seen), events)
        else:
            self._unwatch(descriptor)

    def _ready(self, connection, events):
        if events & POLLOUT:
            self._flush(connection)
        if events & ~POLLOUT and connection in self._connections:
            self._read(connection)

    def _read(self, connection):
        try:
            data = connection.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        try:
            for kind, _, payload in connection.decoder.feed(data):
                self._take(connection, kind, payload)
        except (frames.ProtocolError, ValueError, RecursionError):
            # Not the platform's fault, nor the template's.
            self._drop(connection)

    def _take(self, connection, kind, payload):
        if kind == frames.CALL_BODY and connection.call is not None:
            self._send(frames.encode(kind, connection.call, payload))
            return
        if kind != frames.CALL or connection.call is not None:
            raise ValueError("a connection has one call")
        head = loads(payload.decode())
        if type(head) is not dict:
            raise ValueError("no object")
        if connection.caller is None:
            error = {"code": "cancelled", "status": 409, "message": "hearth.invoke works in the processes of a script that runs, and this is none"}
            self._reply(connection, frames.encode(frames.CALL_FAILED, 1, json.dumps(error).encode()))
            return
        # By the platform's rules: what breaks them would end the sandbox, and the other invocations in it.
        clean = {
            "invocation": connection.caller,
            "function": str(head["function"]),
            "mode": "async" if head["mode"] == "async" else "sync",
            "timeoutMs": None if head["timeoutMs"] is None else max(1, int(head["timeoutMs"])),
            "contentType": None if head["contentType"] is None else "application/json" if head["contentType"] == "application/json" else "application/octet-stream",
            "bodyLength": max(0, int(head["bodyLength"])),
        }
        connection.call = self._next
        self._next += 1
        self._by_call[connection.call] = connection
        self._send(frames.encode(frames.CALL, connection.call, json.dumps(clean).encode()))

    def _reply(self, connection, data):
        connection.unsent.append(data)
        self._flush(connection)

    def _flush(self, connection):
        unsent = connection.unsent
        while unsent:
            try:
                sent = connection.sock.send(unsent[0])
            except BlockingIOError:
                break
            except OSError:
                self._drop(connection)
                return
            if sent < len(unsent[0]):
                unsent[0] = memoryview(unsent[0])[sent:]
                break
            unsent.popleft()
        self._update(connection)

    def _drop(self, connection):
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._by_call.pop(connection.call, None)
        self._unwatch(connection.sock.fileno())
        connection.sock.close()
        self._update_listener()
