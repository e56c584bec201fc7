"""
One connection to a program of style `server`.

It is used again only within a second, well below what servers keep one open for (Node.js: 5 s), and never when the server has said a shorter
time. One that the server closed all the same before a byte of the answer came is replaced once: for a method that may be repeated always, for
another only when the kernel says that the request lay unread.
"""

import errno
import os
import socket
from select import POLLIN, POLLOUT

from . import http1

#: Seconds that a connection may lie unused.
_IDLE_SECONDS = 1.0
READ_BYTES = 262144
#: TCP_QUICKACK of Linux; elsewhere something harmless.
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", socket.TCP_NODELAY)


class Connection:
    """
    connecting → sending → receiving → idle → sending …, or closed. It has one exchange at a time; an exchange has `on_head(head, whole)`,
    `on_body(data)`, `on_end()`, `on_lost(reason, may_repeat)`, and what is in `Whole`.
    """

    def __init__(self, proxy, address):
        self._proxy = proxy
        self._reactor = proxy.reactor
        self._out = b""
        self._exchange = None
        self._reader = http1.Reader(True)
        self._keep = False
        self._got = False
        self._reused = False
        self._paused = False
        self._held = False
        self._broken = False
        self._timer = None
        self._idle_seconds = _IDLE_SECONDS
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self._sock.connect_ex(address)
        self._connecting = code == errno.EINPROGRESS
        if code not in (0, errno.EINPROGRESS):
            self._sock.close()
            raise OSError(code, os.strerror(code))
        self._watch()

    def begin(self, exchange, data, head_only):
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._exchange = exchange
        self._out = data
        self._got = False
        self._reader.bodiless = head_only
        self._reader.may_upgrade = exchange.may_upgrade
        if not self._connecting:
            self._send()

    @property
    def alive(self):
        """Whether the other end, which is idle, has not closed it."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # the end, or bytes that nobody asked for

    def pause(self, paused):
        self._paused = paused
        self._watch()

    def hold(self, held):
        """Whether nothing more is to be read for the exchange that it has."""
        if held != self._held:
            self._held = held
            self._watch()

    def wake(self):
        """The exchange may have more to send."""
        if self._exchange is None or self._connecting or self._out or self._broken:
            return
        self._out = self._exchange.next_piece()
        if self._out:
            self._send()

    def end_sending(self):
        """Nothing more is sent; the other end may go on."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has gone, which is seen when it is read

    def close(self):
        if self._timer is not None:
            self._timer.cancel()
        self._reactor.unwatch(self._sock.fileno())
        self._sock.close()
        self._exchange = None
        self._proxy.forget(self)

    def _watch(self):
        if self._sock.fileno() < 0:
            return
        events = (POLLOUT if self._out or self._connecting else 0) | (0 if self._paused or self._held else POLLIN)
        if events:
            self._reactor.watch(self._sock.fileno(), self._event, events)
        else:
            self._reactor.unwatch(self._sock.fileno())

    def _event(self, events):
        if self._connecting:
            self._connecting = False
            code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._lost(OSError(code, os.strerror(code)))
                return
        if self._out:
            self._send()
            if self._sock.fileno() < 0:
                return
        else:
            self._watch()
        if events & ~POLLOUT:
            self._receive()

    def _send(self):
        try:
            sent = self._sock.send(self._out)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            # It may have answered (413, say) before it closed.
            self._out = b""
            self._broken = True
            self._receive(error)
            return
        self._out = memoryview(self._out)[sent:] if sent < len(self._out) else self._exchange.next_piece()
        self._acknowledge_at_once()
        self._watch()

    def _acknowledge_at_once(self):
        """A server that writes head and body apart, with Nagle's algorithm, would else wait for our delayed acknowledgement: 40 ms. Holds once."""
        self._sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    def _receive(self, sending_failed=None):
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            if sending_failed is not None:
                self._lost(sending_failed)
            return
        except OSError as error:
            self._lost(error)
            return
        if self._exchange is None:
            self.close()  # the end of an idle one, or bytes that nobody asked for
            return
        try:
            if not data:
                self._ended()
                return
            self._got = True
            self._take(self._reader.feed(data))
            if self._exchange is not None:
                self._acknowledge_at_once()
        except http1.HttpError as error:
            exchange = self._exchange
            self.close()
            if exchange is not None:
                exchange.on_lost(str(error), False)

    def _ended(self):
        if not self._got:
            code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._lost(OSError(code, os.strerror(code)) if code else None)
            return
        self._keep = False
        self._take(self._reader.eof())

    def _take(self, events):
        # All of it was there at once: then it need not go out in pieces.
        whole = bool(events) and events[-1][0] == "end"
        for kind, value in events:
            exchange = self._exchange
            if exchange is None:
                return
            if kind == "head":
                self._keep = value.keeps_alive
                self._note_timeout(value)
                exchange.on_head(value, whole)
            elif kind == "body":
                exchange.on_body(value)
            else:
                self._finish(exchange)

    def _finish(self, exchange):
        self._exchange = None
        if not self._keep or self._out or self._broken or not exchange.is_sent or not self._idle_seconds > 0:
            self.close()
        else:
            self._reused = True
            self._reader.next()
            if self._reader.idle:
                self._timer = self._reactor.after(self._idle_seconds, self.close)
                self._proxy.put_back(self)
            else:
                self.close()
        exchange.on_end()

    def _note_timeout(self, head):
        """`Keep-Alive: timeout=5` tells how long the server keeps it; we leave it half a second before."""
        for part in head.index.get("keep-alive", "").split(","):
            name, _, value = part.strip().partition("=")
            if name.lower() == "timeout" and value.isdigit():
                self._idle_seconds = min(_IDLE_SECONDS, int(value) - 0.5)

    def _lost(self, error):
        exchange, reused, got = self._exchange, self._reused, self._got
        self.close()
        if exchange is None:
            return
        was_reset = error is not None and error.errno in (errno.ECONNRESET, errno.EPIPE)
        may_repeat = reused and not got and (was_reset or exchange.repeatable)
        exchange.on_lost("it closed the connection" if error is None else "the connection broke: %s" % error.strerror, may_repeat)
