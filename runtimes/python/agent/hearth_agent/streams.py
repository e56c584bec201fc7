"""The tunnel: connections to the addresses of the reply endpoint and of services inside the sandbox, carried over the channel as streams."""

from _socket import AF_INET, IPPROTO_TCP, SHUT_WR, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY, socket
from collections import deque
from errno import EMFILE, ENFILE
from os import close
from select import POLLIN, POLLOUT
from struct import Struct

from . import frames

READ_BYTES = 65536
_CREDIT = Struct(">I")
#: Bytes that have been delivered are told in portions of this size.
CREDIT_BYTES = frames.STREAM_WINDOW // 2
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
        raise OSError(error.errno, "can't listen on %s:%d inside the sandbox: %s" % (host, port, error.strerror)) from None
    listener.setblocking(False)
    return listener


class _Connection:
    __slots__ = ("sock", "ident", "service", "unsent", "unsent_bytes", "announced_close", "closing", "ended", "on_the_way", "delivered")

    def __init__(self, sock, ident, service):
        self.sock = sock
        self.ident = ident
        #: Its name; None: the reply endpoint. Those to services have a window each way, and may end in one direction before the other.
        self.service = service
        self.unsent = deque()
        self.unsent_bytes = 0
        #: StreamClose was sent, or came: no frame with this id may be sent any more.
        self.announced_close = False
        #: Close once `unsent` is empty.
        self.closing = False
        #: The client sends no more; what it was sent is still written.
        self.ended = False
        #: Sent to the platform and not credited.
        self.on_the_way = 0
        #: Written to the client and not yet told.
        self.delivered = 0


class Tunnel:
    """
    Owned by one loop: `watch(descriptor, callback, events)` and `unwatch(descriptor)` are its. `send` takes whole frames.
    A paused tunnel reads nothing from connections, but still writes to them. `listeners`: pairs of a listening socket and the name of its service.
    """

    def __init__(self, listeners, watch, unwatch, send):
        self._watch = watch
        self._unwatch = unwatch
        self._send = send
        self._next = 1
        self._by_ident = {}
        self._paused = False
        #: Bytes read from connections so far.
        self.carried = 0
        self._listeners = {sock.fileno(): (sock, lambda _events, sock=sock, service=service: self._accept(sock, service)) for sock, service in listeners}
        self._watch_listeners()

    def _watch_listeners(self):
        for descriptor, (_, accept) in self._listeners.items():
            self._watch(descriptor, accept, POLLIN)

    @property
    def open(self):
        return bool(self._by_ident)

    def descriptors(self):
        return [*self._listeners, *(connection.sock.fileno() for connection in self._by_ident.values())]

    def forget(self):
        """In a forked process: closes its copies, or a connection would stay open as long as that process lives."""
        for sock in [*(sock for sock, _ in self._listeners.values()), *(connection.sock for connection in self._by_ident.values())]:
            if sock.fileno() >= 0:
                close(sock.detach())

    def pause(self, paused):
        if paused == self._paused:
            return
        self._paused = paused
        if paused:
            for descriptor in self._listeners:
                self._unwatch(descriptor)
        else:
            self._watch_listeners()
        for connection in self._by_ident.values():
            self._update(connection)

    def take(self, kind, ident, payload):
        """A frame from the platform that is about a stream."""
        if kind == frames.STREAM_DATA_IN:
            self.data(ident, payload)
        elif kind == frames.STREAM_CLOSE_IN:
            self.close(ident)
        elif kind == frames.STREAM_END_IN:
            self.end(ident)
        else:
            self.credit(ident, payload)

    def data(self, ident, payload):
        """Bytes from the platform for a connection; dropped when that is gone already."""
        connection = self._by_ident.get(ident)
        if connection is None or connection.closing:
            return
        connection.unsent.append(payload)
        connection.unsent_bytes += len(payload)
        self._write(connection)
        if connection.unsent_bytes > MAX_UNREAD and connection.service is None:
            self._drop(connection)

    def close(self, ident):
        """The platform closed it: what it sent before is still delivered."""
        connection = self._by_ident.get(ident)
        if connection is None:
            return
        connection.announced_close = True
        connection.closing = True
        if connection.ended and connection.service is not None and not connection.unsent:
            self._drop(connection)
        else:
            self._write(connection)

    def end(self, ident):
        """The service sends no more; it may still be sent to."""
        connection = self._by_ident.get(ident)
        if connection is not None:
            connection.closing = True
            self._write(connection)

    def credit(self, ident, payload):
        """So much of what the client sent has been delivered."""
        connection = self._by_ident.get(ident)
        if connection is not None:
            connection.on_the_way -= _CREDIT.unpack(payload)[0]
            self._update(connection)

    def drain(self, full):
        """Takes over what functions have sent so far, and stops when `full()`; False then."""
        for _, accept in self._listeners.values():
            accept(POLLIN)
        for connection in list(self._by_ident.values()):
            while not full():
                if not self._read(connection):
                    break
            else:
                return False
            if self._says_more(connection):
                return False
        return True

    def _says_more(self, connection):
        """
        Whether its window lets through no more of what was sent to the broker: that may be the answer of a process that has ended. Whose it is can't
        be told, for the kernel doesn't tell of an end that has bytes before it.
        """
        return connection.service == "message_queue" and not connection.ended and connection.on_the_way >= frames.STREAM_WINDOW

    def _accept(self, listener, service):
        while True:
            try:
                descriptor, _ = listener._accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (EMFILE, ENFILE):
                    return  # the function has used up its descriptors; its client waits in the backlog
                continue
            sock = socket(AF_INET, SOCK_STREAM, 0, descriptor)
            sock.setblocking(False)
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            connection = _Connection(sock, self._next, service)
            self._next += 1
            self._by_ident[connection.ident] = connection
            self._send(frames.encode(frames.STREAM_OPEN, connection.ident, b"" if service is None else b'{"service": "%s"}' % service.encode()))
            self._update(connection)

    def _update(self, connection):
        full = connection.service is not None and connection.on_the_way >= frames.STREAM_WINDOW
        events = (0 if self._paused or connection.ended or full else POLLIN) | (POLLOUT if connection.unsent else 0)
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
        size = READ_BYTES
        if connection.service is not None:
            size = min(size, frames.STREAM_WINDOW - connection.on_the_way)
            if size <= 0:
                self._update(connection)
                return False
        try:
            data = connection.sock.recv(size)
        except BlockingIOError:
            return False
        except OSError:
            self._drop(connection)
            return False
        if not data:
            connection.ended = True
            if connection.service is not None:
                self._service_client_ended(connection)
            elif connection.unsent:
                self._announce_close(connection)
                self._update(connection)
            else:
                self._drop(connection)
            return False
        self.carried += len(data)
        connection.on_the_way += len(data)
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
            if connection.service is not None:
                self._delivered(connection, sent)
            if sent < len(data):
                unsent[0] = memoryview(data)[sent:]
                break
            unsent.popleft()
        if connection.ended and not unsent and (connection.closing or connection.service is None):
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

    def _service_client_ended(self, connection):
        """It may have closed its end only, and wait for an answer."""
        if connection.announced_close or (connection.closing and not connection.unsent):
            if not connection.announced_close:
                connection.announced_close = True
                self._send(frames.encode(frames.STREAM_END, connection.ident))
            self._drop(connection)
            return
        self._send(frames.encode(frames.STREAM_END, connection.ident))
        self._update(connection)

    def _delivered(self, connection, size):
        connection.delivered += size
        if connection.delivered >= CREDIT_BYTES and not connection.announced_close:
            self._send(frames.encode(frames.STREAM_CREDIT, connection.ident, _CREDIT.pack(connection.delivered)))
            connection.delivered = 0

    def _drop(self, connection):
        if self._by_ident.pop(connection.ident, None) is None:
            return
        self._unwatch(connection.sock.fileno())
        connection.sock.close()
        self._announce_close(connection)

    def _announce_close(self, connection):
        if not connection.announced_close:
            connection.announced_close = True
            # After both have ended there is nothing to close any more.
            if not (connection.service is not None and connection.ended and connection.closing):
                self._send(frames.encode(frames.STREAM_CLOSE, connection.ident))
