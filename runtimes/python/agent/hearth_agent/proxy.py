"""
Style `server`: requests go to a program that listens inside the sandbox, over HTTP/1.1 and connections that are kept.

A connection is used again only within a second, well below what servers keep one open for (Node.js: 5 s), and never when the server has said a shorter
time. One that the server closed all the same before a byte of the answer came is replaced once: for a method that may be repeated always, for
another only when the kernel says that the request lay unread.
"""

import errno
import os
import socket
from collections import deque
from select import POLLIN, POLLOUT

from . import errors, http1, result

#: Seconds that a connection may lie unused.
_IDLE_SECONDS = 1.0
READ_BYTES = 262144
#: Answers that are announced to be larger go out as they come.
GATHERED_BYTES = 1024 * 1024
#: TCP_QUICKACK of Linux; elsewhere something harmless.
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", socket.TCP_NODELAY)
_FIRST_TRY_SECONDS = 0.002
_LAST_TRY_SECONDS = 0.1
_READY_SECONDS = 5
_HEALTH_SECONDS = 10
_UNHEALTHY_TIMES = 3
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
#: RFC 9110 section 7.6.1; and what concerns the framing, which is ours. Expect: the body is there.
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "expect", "content-length")
)


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


class Whole:
    """What an exchange is of which all is sent at its beginning."""

    __slots__ = ()

    #: Whether the answer may switch protocols.
    may_upgrade = False
    #: Whether nothing more is to be sent.
    is_sent = True

    def next_piece(self):
        """What is sent next, when all before it was; nothing when there is none yet."""
        return b""


class Exchange(Whole):
    """One invocation at the program."""

    __slots__ = ("proxy", "invocation", "request", "repeated", "connection", "_head", "_pieces", "_streaming", "head_only")

    def __init__(self, proxy, invocation):
        self.proxy = proxy
        self.invocation = invocation
        self.request = self.make_request(invocation)
        self.head_only = invocation.invoke["verb"] == "HEAD"
        invocation.pieces = []
        self.repeated = False
        self.connection = None
        self._head = None
        self._pieces = []
        self._streaming = False

    def make_request(self, invocation):
        return request_bytes(invocation.invoke, invocation.body)

    @property
    def repeatable(self):
        return self.invocation.invoke["verb"] in _REPEATABLE

    def on_head(self, head, whole):
        self.request = None
        length = "" if "transfer-encoding" in head.index else head.index.get("content-length", "").partition(",")[0]
        self._streaming = not whole and (not length or int(length) > GATHERED_BYTES)
        headers = passed(head)
        if self.head_only and length:
            headers += ("Content-Length", length)
        try:
            self._head = result.head(int(head.start[1]), headers, self._streaming)
        except errors.FunctionError as error:
            self.connection.close()
            self.proxy.supervisor.fail(self.invocation, "InvalidAnswer", str(error))
            return
        if self._streaming:
            self.proxy.supervisor.reply_head(self.invocation, self._head)

    def on_body(self, data):
        if self._streaming:
            self.proxy.supervisor.reply_piece(self.invocation, data)
        else:
            self._pieces.append(data)

    def on_end(self):
        if self._streaming:
            self.proxy.supervisor.reply_end(self.invocation)
        else:
            self.proxy.supervisor.reply_whole(self.invocation, self._head, b"".join(self._pieces))

    def on_lost(self, reason, may_repeat):
        self.connection = None
        if may_repeat and not self.repeated:
            self.repeated = True
            self.proxy.send(self, fresh=True)
            return
        # Most often the program has died of it, which is the better reason, and known in a moment.
        self.proxy.reactor.after(0.05, lambda: self._fail(reason))

    def _fail(self, reason):
        self.proxy.supervisor.fail(self.invocation, "NoAnswer", "the program gave no whole answer: %s" % reason)


class Probe(Whole):
    """A request of our own: is it ready, is it well? `done(ok)` once."""

    repeatable = False

    def __init__(self, proxy, path, done):
        self._status = None
        self._done = done
        self.connection = None
        self._timer = proxy.reactor.after(_READY_SECONDS, self._give_up)
        request = ("GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: hearth\r\nConnection: close\r\n\r\n" % (path, proxy.port)).encode("latin-1")
        try:
            self.connection = Connection(proxy, proxy.address)
            self.connection.begin(self, request, False)
        except OSError:
            self._finish(False)

    def _give_up(self):
        if self.connection is not None:
            self.connection.close()
        self._finish(False)

    def _finish(self, ok):
        self._timer.cancel()
        done, self._done = self._done, None
        if done is not None:
            done(ok)

    def on_head(self, head, _whole):
        self._status = int(head.start[1])

    def on_body(self, data):
        pass

    def on_end(self):
        self._finish(self._status is not None and 200 <= self._status < 300)

    def on_lost(self, _reason, _may_repeat):
        self._finish(False)


class Proxy:
    """The style, for the supervisor."""

    def __init__(self, supervisor):
        self.supervisor = supervisor
        self.reactor = supervisor.reactor
        settings = supervisor.settings
        self.port = int(settings.get("port") or 0) or free_port()
        self.address = None
        self.ready = False
        self._ready_path = settings.get("readyPath")
        self._health_path = settings.get("healthPath")
        self._ill = 0
        self._pause = _FIRST_TRY_SECONDS
        self._idle = deque()
        self._connections = set()
        self._paused = False
        self._is_open = False

    def environment(self):
        return {"PORT": str(self.port)}

    def started(self):
        self._knock()

    def not_ready(self):
        if not self._is_open:
            return "the program did not listen on port %d (its variable PORT) in time." % self.port
        return "the program did not answer GET %s with a status of 200 to 299 in time." % self._ready_path

    # --- readiness and health

    def _knock(self):
        """Tries its port on both loopback addresses, soon and then less often."""
        for host in ("127.0.0.1", "::1"):
            if can_connect((host, self.port)):
                self.address = (host, self.port)
                self._is_open = True
                self._ask_ready()
                return
        self._again(self._knock)

    def _again(self, what):
        self.reactor.after(self._pause, what)
        self._pause = min(_LAST_TRY_SECONDS, self._pause * 1.5)

    def _ask_ready(self):
        if self._ready_path is None:
            self._become_ready()
        else:
            Probe(self, self._ready_path, lambda ok: self._become_ready() if ok else self._again(self._ask_ready))

    def _become_ready(self):
        self.ready = True
        if self._health_path is not None:
            self.reactor.after(_HEALTH_SECONDS, self._ask_health)

    def _ask_health(self):
        Probe(self, self._health_path, self._heard)

    def _heard(self, ok):
        self._ill = 0 if ok else self._ill + 1
        if self._ill >= _UNHEALTHY_TIMES:
            self.supervisor.give_up("the program did not answer GET %s with a status of 200 to 299 %d times in a row, and is replaced." % (self._health_path, _UNHEALTHY_TIMES))
        self.reactor.after(_HEALTH_SECONDS, self._ask_health)

    # --- invocations

    def begin(self, invocation):
        try:
            invocation.work = self._exchange(invocation)
        except errors.FunctionError as error:
            self.supervisor.fail(invocation, error.kind, str(error))
            return
        self.send(invocation.work, fresh=invocation.streamed)

    def _exchange(self, invocation):
        if not invocation.streamed:
            return Exchange(self, invocation)
        from . import proxy_streams

        return proxy_streams.exchange_of(self, invocation)

    def send(self, exchange, fresh=False):
        connection = None if fresh else self._take()
        try:
            if connection is None:
                connection = Connection(self, self.address)
                self._connections.add(connection)
                if self._paused:
                    connection.pause(True)
        except OSError as error:
            exchange.on_lost("it takes no connections: %s" % error.strerror, False)
            return
        exchange.connection = connection
        connection.begin(exchange, exchange.request, exchange.head_only)

    def cancel(self, invocation):
        work = invocation.work
        if work is not None and work.connection is not None:
            # By this the program sees that nobody waits any more.
            work.connection.close()
        self.supervisor.fail(invocation, "Cancelled", "the invocation was cancelled")

    def pause(self, paused):
        self._paused = paused
        for connection in list(self._connections):
            connection.pause(paused)

    def _take(self):
        while self._idle:
            connection = self._idle.pop()
            if connection.alive:
                return connection
            connection.close()
        return None

    def put_back(self, connection):
        self._idle.append(connection)

    def forget(self, connection):
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


def can_connect(address):
    try:
        with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM) as sock:
            return sock.connect_ex(address) == 0
    except OSError:
        return False


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _named_by_connection(pairs):
    """Lower-case names of headers that a Connection header makes hop-by-hop."""
    named = set()
    for name, value in pairs:
        if name.lower() == "connection":
            named.update(part.strip().lower() for part in value.split(","))
    return named


def passed(head):
    """Headers of an answer, for ReplyHead: names and values in turn."""
    dropped = _named_by_connection(head.headers) | _HOP_BY_HOP
    headers = []
    for name, value in head.headers:
        if name.lower() not in dropped:
            headers += (name, value)
    return headers


def request_bytes(invoke, body):
    """The request as the program gets it: target, headers and body as they came, hop-by-hop headers aside."""
    has_length = body or invoke["verb"] not in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT")
    return request_head(invoke, ["Content-Length: %d" % len(body)] if has_length else []) + body


def request_head(invoke, framing):
    """Its head alone. `framing`: lines of headers, in the place of those of the caller's connection."""
    pairs = list(zip(invoke["headers"][::2], invoke["headers"][1::2]))
    dropped = _named_by_connection(pairs) | _HOP_BY_HOP
    known = {name.lower() for name, _ in pairs}
    lines = ["%s %s HTTP/1.1" % (invoke["verb"], _target(invoke))]
    for name, value in pairs:
        if name.lower() not in dropped:
            lines.append("%s: %s" % (name, value))
    host = next((value for name, value in pairs if name.lower() == "host"), None)
    if host is None:
        host = "localhost"
        lines.insert(1, "Host: localhost")
    if "x-forwarded-host" not in known:
        lines.append("X-Forwarded-Host: %s" % host)
    if "x-correlation-id" not in known:
        lines.append("X-Correlation-Id: %s" % invoke["correlationId"])
    lines += framing
    text = "\r\n".join(lines)
    if "\0" in text or any("\r" in line or "\n" in line for line in lines):
        raise errors.FunctionError("InvalidRequest", "a header of the request can't be passed on: it has a line break or NUL")
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        data = text.encode("utf-8")
    return data + b"\r\n\r\n"


def _target(invoke):
    target = invoke["rawPath"] or invoke["path"]
    if target.isascii() and not any(character <= " " or character == "\x7f" for character in target):
        return target
    from urllib.parse import quote

    return quote(target, safe="/?&=%:@!$'()*+,;~-._#[]", encoding="utf-8", errors="surrogateescape")
