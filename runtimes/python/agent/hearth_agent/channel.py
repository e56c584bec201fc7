"""The channel on descriptor 3: blocking for handlers (Channel), queued for the template's event loop (Outbox)."""

import os
from _socket import AF_UNIX, MSG_DONTWAIT, SOCK_STREAM, socket
from _thread import allocate_lock
from collections import deque

from . import frames

DESCRIPTOR = 3
READ_BYTES = 65536
STREAM_FRAMES = (frames.STREAM_DATA_IN, frames.STREAM_CLOSE_IN, frames.STREAM_END_IN, frames.STREAM_CREDIT_IN)
_CALL_FRAMES = (frames.CALL_REPLY, frames.CALL_REPLY_BODY, frames.CALL_FAILED)


class ChannelClosed(Exception):
    """The platform is gone, or wants the sandbox gone."""


class Channel:
    """Frames in and out. Any thread may send; whoever holds `reading` may receive."""

    def __init__(self, sock=None):
        self.sock = sock if sock is not None else socket(AF_UNIX, SOCK_STREAM, 0, DESCRIPTOR)
        self.sock.setblocking(True)
        self.decoder = frames.Decoder()
        #: Frames that were read but not yet looked at, in order.
        self.received = deque()
        #: Takes each frame that is neither a stream's nor a call's, under `reading`.
        self.keep = self.received.append
        #: Takes the frames of streams; None where nothing listens.
        self.on_stream = None
        #: Takes the frames of calls; None until the function has made one.
        self.on_call = None
        self.reading = allocate_lock()
        self.writing = allocate_lock()

    def send(self, data):
        with self.writing:
            try:
                self.sock.sendall(data)
            except OSError:
                # Not an exception: it would surface in the function's print, and be swallowed there.
                os._exit(0)

    def receive(self):
        """The next frame; waits for it."""
        with self.reading:
            received = self.received
            while not received:
                self.take(self._recv(READ_BYTES))
            return received.popleft()

    def receive_now(self):
        """Reads what has come without waiting; False when nothing had. The caller holds `reading`."""
        try:
            data = self._recv(READ_BYTES, MSG_DONTWAIT)
        except BlockingIOError:
            return False
        self.take(data)
        return True

    def receive_some(self, size):
        """Bytes for `take`; waits for them. The caller holds `reading`."""
        return self._recv(size)

    def take(self, data):
        if not data:
            raise ChannelClosed
        keep = self.keep
        for frame in self.decoder.feed(data):
            # Sorted out here, under `reading`, so that the frames of a stream or call keep their order whoever reads them.
            kind = frame[0]
            if kind < frames.STREAM_DATA_IN:
                keep(frame)
            elif kind in STREAM_FRAMES and self.on_stream is not None:
                self.on_stream(frame)
            elif kind in _CALL_FRAMES and self.on_call is not None:
                self.on_call(frame)
            else:
                keep(frame)

    def forget(self):
        """In a forked process: closes its copy of the descriptor, for good."""
        os.close(self.sock.detach())

    def _recv(self, size, flags=0):
        try:
            return self.sock.recv(size, flags)
        except BlockingIOError:
            raise
        except OSError as error:
            raise ChannelClosed from error


class Outbox:
    """What the template has to say: sent at once where the socket takes it, else kept in order."""

    #: Above this many waiting bytes nothing more is read from functions.
    HIGH = 1024 * 1024

    def __init__(self, sock, on_change):
        self._sock = sock
        self._queue = deque()
        self._on_change = on_change
        self.size = 0

    @property
    def full(self):
        return self.size > self.HIGH

    def send(self, data):
        if not self._queue:
            sent = self._try(data)
            if sent == len(data):
                return
            data = memoryview(data)[sent:]
        self._queue.append(data)
        self.size += len(data)
        self._on_change()

    def flush(self):
        queue = self._queue
        while queue:
            data = queue[0]
            sent = self._try(data)
            self.size -= sent
            if sent < len(data):
                queue[0] = memoryview(data)[sent:]
                break
            queue.popleft()
        self._on_change()

    def _try(self, data):
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ChannelClosed from error
