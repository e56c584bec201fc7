"""Style `server`: requests go to a program that listens inside the sandbox, over HTTP/1.1 and connections that are kept."""

import socket
from collections import deque

from . import errors, result
from .proxy_connection import Connection
from .proxy_head import passed, request_bytes

#: Answers that are announced to be larger go out as they come.
GATHERED_BYTES = 1024 * 1024
_FIRST_TRY_SECONDS = 0.002
_LAST_TRY_SECONDS = 0.1
_READY_SECONDS = 5
_HEALTH_SECONDS = 10
_UNHEALTHY_TIMES = 3
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))


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
            return "the program did not listen on port %d (its variable PORT) in time" % self.port
        return "the program did not answer GET %s with a status of 200 to 299 in time" % self._ready_path

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
