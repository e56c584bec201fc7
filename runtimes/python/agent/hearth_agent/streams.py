"""The tunnel: connections to the reply endpoint's address inside the sandbox, carried over the channel as streams."""

from _socket import AF_INET, IPPROTO_TCP, SHUT_WR, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY, socket
from collections import deque
from errno import EMFILE, ENFILE
from os import close
from select import POLLIN, POLLOUT

from . import frames

READ_BYTES = 65536
#: A connection whose client doesn't read what the platform sends is closed above this many waiting bytes.
MAX_UNREAD = 4 * 1024 * 1024


def listen(host, port):
    """A listening socket. Raises OSError with the address in its message."""
    listener = socket(AF_INET, SOCK_STREAM)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        raise OSError(error.errno, "can't listen on %s:%d for the reply endpoint: %s" % (host, port, error.strerror)) from None
    listener.setblocking(False)
    return listener


class _Connection:
    __slots__ = ("sock", "ident", "unsent", "unsent_bytes", "announced_close", "closing", "ended")

    def __init__(self, sock, ident):
        self.sock = sock
        self.ident = ident
        self.unsent = deque()
        self.unsent_bytes = 0
        #: StreamClose was sent, or came: no frame with this id may be sent any more.
        self.announced_close = False
        #: Close once `unsent` is empty.
        self.closing = False
        #: The client sends no more; what it was sent is still written.
        self.ended = False


class Tunnel:
    """
    Owned by one loop: `watch(descriptor, callback, events)` and `unwatch(descriptor)` are its. `send` takes whole frames.
    A paused tunnel reads nothing from connections, but still writes to them.
    """

    def __init__(self, listener, watch, unwatch, send):
        self._listener = listener
        self._watch = watch
        self._unwatch = unwatch
        self._send = send
        self._next = 1
        self._by_ident = {}
        self._paused = False
        #: Bytes read from connections so far.
        self.carried = 0
        watch(listener.fileno(), self._acceptable, POLLIN)

    @property
    def open(self):
        return bool(self._by_ident)

    def descriptors(self):
        return [self._listener.fileno(), *(connection.sock.fileno() for connection in self._by_ident.values())]

    def forget(self):
        """In a forked process: closes its copies, or a connection would stay open as long as that process lives."""
        for sock in [self._listener, *(connection.sock for connection in self._by_ident.values())]:
            if sock.fileno() >= 0:
                close(sock.detach())

    def pause(self, paused):
        if paused == self._paused:
            return
        self._paused = paused
        if paused:
            self._unwatch(self._listener.fileno())
        else:
            self._watch(self._listener.fileno(), self._acceptable, POLLIN)
        for connection in self._by_ident.values():
            self._update(connection)

    def data(self, ident, payload):
        """Bytes from the platform for a connection; dropped when that is gone already."""
        connection = self._by_ident.get(ident)
        if connection is None or connection.closing:
            return
        connection.unsent.append(payload)
        connection.unsent_bytes += len(payload)
        self._write(connection)
        if connection.unsent_bytes > MAX_UNREAD:
            self._drop(connection)

    def close(self, ident):
        """The platform closed it: what it sent before is still delivered."""
        connection = self._by_ident.get(ident)
        if connection is None:
            return
        connection.announced_close = True
        connection.closing = True
        self._write(connection)

    def drain(self, full):
        """Takes over what functions have sent so far, and stops when `full()`; False then."""
        self._acceptable(POLLIN)
        for connection in list(self._by_ident.values()):
            while not full():
                if not self._read(connection):
                    break
            else:
                return False
        return True

    def _acceptable(self, _events):
        while True:
            try:
                descriptor, _ = self._listener._accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (EMFILE, ENFILE):
                    return  # the function has used up its descriptors; its client waits in the backlog
                continue
            sock = socket(AF_INET, SOCK_STREAM, 0, descriptor)
            sock.setblocking(False)
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            connection = _Connection(sock, self._next)
            self._next += 1
            self._by_ident[connection.ident] = connection
            self._send(frames.encode(frames.STREAM_OPEN, connection.ident))
            self._update(connection)

    def _update(self, connection):
        events = (0 if self._paused or connection.ended else POLLIN) | (POLLOUT if connection.unsent else 0)
        descriptor = connection.sock.fileno()
        if events:
            self._watch(descriptor, lambda seen: self._ready(connection, seen), events)
        else:
            # Not watched for nothing: a poll reports hang-ups for ever.
            self._unwatch(descriptor)

    def _ready(self, connection, events):
        if events & POLLOUT:
            self._write(connection)
        if events & ~POLLOUT and not self._paused and connection.ident in self._by_ident:
            self._read(connection)

    def _read(self, connection):
        """False when nothing is there to read, or nothing will ever be."""
        if connection.ended or connection.ident not in self._by_ident:
            return False
        try:
            data = connection.sock.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            self._drop(connection)
            return False
        if not data:
            connection.ended = True
            if connection.unsent:
                self._announce_close(connection)
                self._update(connection)
            else:
                self._drop(connection)
            return False
        self.carried += len(data)
        if not connection.announced_close:
            self._send(frames.encode(frames.STREAM_DATA, connection.ident, data))
        return True

    def _write(self, connection):
        unsent = connection.unsent
        while unsent:
            data = unsent[0]
            try:
                sent = connection.sock.send(data)
            except BlockingIOError:
                break
            except OSError:
                self._drop(connection)
                return
            connection.unsent_bytes -= sent
            if sent < len(data):
                unsent[0] = memoryview(data)[sent:]
                break
            unsent.popleft()
        if connection.ended and not unsent:
            self._drop(connection)
            return
        if connection.closing and not unsent:
            try:
                # Closing outright would reset what the client has not read yet; so wait for its end.
                connection.sock.shutdown(SHUT_WR)
            except OSError:
                self._drop(connection)
                return
        self._update(connection)

    def _drop(self, connection):
        if self._by_ident.pop(connection.ident, None) is None:
            return
        self._unwatch(connection.sock.fileno())
        connection.sock.close()
        self._announce_close(connection)

    def _announce_close(self, connection):
        if not connection.announced_close:
            connection.announced_close = True
            self._send(frames.encode(frames.STREAM_CLOSE, connection.ident))
