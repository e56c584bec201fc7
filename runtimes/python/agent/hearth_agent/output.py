"""sys.stdout and sys.stderr of handlers: what is printed goes to the platform under the invocation that printed it."""

import io
import os
import sys
from _thread import RLock
from time import monotonic

from . import frames

#: Gathered output is sent at this size.
GATHER = 8192
#: The first lines of an invocation go out at once, so that they are seen when it hangs; a flood is gathered.
EAGER_LINES = 16
#: Seconds after which a flood's line goes out at once again.
GATHER_SECONDS = 0.001
MAX_FRAME = 65536


class Outputs:
    """Both streams, and who is running."""

    def __init__(self, channel, current):
        #: A function: the invocation that runs here, 0 for none.
        self.current = current
        self.channel = channel
        #: Invocations that may still be named in a frame.
        self.live = set()
        # Reentrant: a destructor that prints may run inside a write.
        self.lock = RLock()
        self.out = LogStream(self, frames.LOG_OUT, 1)
        self.err = LogStream(self, frames.LOG_ERR, 2)

    def install(self):
        sys.stdout = sys.__stdout__ = _text(self.out, "surrogateescape", "<stdout>")
        sys.stderr = sys.__stderr__ = _text(self.err, "backslashreplace", "<stderr>")

    def forget(self):
        """In a forked process: what is printed goes to descriptors 1 and 2 from now on; what the parent gathered is the parent's."""
        self.channel = None
        self.lock = RLock()
        self.out.gathered.clear()
        self.err.gathered.clear()

    def end(self, ident):
        """Frames of what the invocation printed and wasn't sent yet. Nothing is sent under its id from here on."""
        with self.lock:
            self.live.discard(ident)
            if self.out.gathered or self.err.gathered:
                return self.out.take(ident) + self.err.take(ident)
        return b""


def _text(stream, errors, name):
    text = io.TextIOWrapper(stream, encoding="utf-8", errors=errors, newline="\n", write_through=True)
    text.mode = "w"
    stream.name = name
    return text


def _write_all(descriptor, data):
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(data)


class LogStream(io.BufferedIOBase):
    def __init__(self, outputs, kind, descriptor):
        super().__init__()
        self._outputs = outputs
        self._kind = kind
        self._descriptor = descriptor
        #: Invocation → [bytes, lines sent, instant of the last send].
        self.gathered = {}

    def writable(self):
        return True

    def fileno(self):
        return self._descriptor

    def isatty(self):
        return False

    def close(self):
        """Stays open: the next invocation prints too."""
        self.flush()

    def write(self, data):
        if not isinstance(data, bytes):
            data = bytes(data)
        outputs = self._outputs
        if outputs.channel is None:
            return _write_all(self._descriptor, data)
        with outputs.lock:
            ident = outputs.current()
            if ident not in outputs.live:
                ident = 0
            entry = self.gathered.get(ident)
            if entry is None:
                entry = self.gathered[ident] = [bytearray(), 0, 0.0]
            entry[0] += data
            if len(entry[0]) >= GATHER:
                self._send(ident, entry)
            elif data.endswith(b"\n") and (entry[1] < EAGER_LINES or monotonic() - entry[2] > GATHER_SECONDS):
                self._send(ident, entry)
        return len(data)

    def flush(self):
        outputs = self._outputs
        with outputs.lock:
            ident = outputs.current()
            if ident not in outputs.live:
                ident = 0
            entry = self.gathered.get(ident)
            if entry is not None and entry[0]:
                self._send(ident, entry)

    def take(self, ident):
        entry = self.gathered.pop(ident, None)
        return b"" if entry is None else self._frames(ident, entry[0])

    def _send(self, ident, entry):
        data = self._frames(ident, entry[0])
        entry[0] = bytearray()
        entry[1] += 1
        entry[2] = monotonic()
        self._outputs.channel.send(data)

    def _frames(self, ident, data):
        return b"".join([frames.encode(self._kind, ident, bytes(data[i : i + MAX_FRAME])) for i in range(0, len(data), MAX_FRAME)])
