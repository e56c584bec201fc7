"""
Style `lambda`: the program is a custom runtime of AWS Lambda. It finds the Lambda Runtime API, version 2018-06-01, at AWS_LAMBDA_RUNTIME_API, asks it
for events and posts what comes of them (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and the OpenAPI file there).
"""

import json
import os
import re
import socket
from base64 import b64decode
from collections import deque
from secrets import token_hex
from select import POLLIN, POLLOUT

from . import errors, http1, lambda_event

PREFIX = "/2018-06-01/runtime/"
READ_BYTES = 262144
#: Of what reports an error.
ERROR_BYTES = 1024 * 1024
_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{1,64}\Z")
_REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 413: "Request Entity Too Large"}
_HTTP_STREAM_LIMIT = 1024 * 1024


class Event:
    """An invocation: waiting → handed out → answering → over."""

    __slots__ = ("invocation", "id", "payload", "trace", "answering")

    def __init__(self, invocation, ident):
        self.invocation = invocation
        self.id = ident
        self.payload = lambda_event.make_event(invocation.invoke, invocation.body, ident)
        invocation.pieces = []
        self.trace = trace_id(invocation.invoke["headers"])
        self.answering = False


class Client:
    """One connection of the program's. Requests on it are taken one after the other."""

    def __init__(self, api, sock):
        self._api = api
        self._sock = sock
        self._reader = http1.Reader(False)
        self._out = b""
        self._body = None
        self._keep = True
        self._paused = False
        #: It waits for the next event.
        self.polling = False
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch()

    def close(self):
        self._api.reactor.unwatch(self._sock.fileno())
        self._sock.close()
        self._api.forget(self)
        if self._body is not None:
            body, self._body = self._body, None
            body.broken("the program closed the connection in the middle of it")

    def pause(self, paused):
        self._paused = paused
        self._watch()

    def answer(self, status, body=b"", headers=(), content_type="application/json"):
        lines = ["HTTP/1.1 %d %s" % (status, _REASONS.get(status, "")), "Content-Type: %s" % content_type, "Content-Length: %d" % len(body)]
        lines += ["%s: %s" % pair for pair in headers]
        if not self._keep:
            lines.append("Connection: close")
        self.polling = False
        self._out = bytes(self._out) + "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body
        self._flush()

    def refuse(self, status, kind, message):
        self.answer(status, json.dumps({"errorMessage": message, "errorType": kind}).encode())

    def _watch(self):
        if self._sock.fileno() >= 0:
            events = (POLLOUT if self._out else 0) | (0 if self._paused else POLLIN)
            if events:
                self._api.reactor.watch(self._sock.fileno(), self._event, events)
            else:
                self._api.reactor.unwatch(self._sock.fileno())

    def _flush(self):
        try:
            sent = self._sock.send(self._out) if self._out else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        self._out = memoryview(self._out)[sent:] if sent < len(self._out) else b""
        if not self._out and not self._keep and self._body is None and not self.polling:
            self.close()
            return
        self._watch()

    def _event(self, events):
        if events & POLLOUT:
            self._flush()
        if events & ~POLLOUT and self._sock.fileno() >= 0:
            try:
                data = self._sock.recv(READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            try:
                self._take(self._reader.feed(data))
            except http1.HttpError as error:
                self._keep = False
                self.refuse(400, "BadRequest", str(error))

    def _take(self, events):
        while events:
            for kind, value in events:
                if self._sock.fileno() < 0:
                    return
                if kind == "head":
                    self._keep = value.keeps_alive
                    if value.has_token("expect", "100-continue"):
                        self._out = bytes(self._out) + b"HTTP/1.1 100 Continue\r\n\r\n"
                        self._flush()
                    self._body = self._api.open(self, value)
                elif kind == "body":
                    self._body.take(value)
                else:
                    body, self._body = self._body, None
                    body.end(value)
            events = self._reader.next() if events[-1][0] == "end" and self._sock.fileno() >= 0 else []


class _Ignored:
    """The body of a request that is answered whatever it says."""

    def __init__(self, answer):
        self._answer = answer

    def take(self, data):
        pass

    def broken(self, reason):
        pass

    def end(self, _trailers):
        self._answer()


class _Gathered:
    """A body up to a bound."""

    def __init__(self, limit, done, too_large, broken=lambda reason: None):
        self._limit = limit
        self._done = done
        self._too_large = too_large
        self.broken = broken
        self._pieces = []
        self._size = 0

    def take(self, data):
        self._size += len(data)
        if self._size <= self._limit:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    def end(self, _trailers):
        if self._size > self._limit:
            self._too_large()
        else:
            self._done(b"".join(self._pieces))


class _Streamed:
    """Lambda-Runtime-Function-Response-Mode: streaming. Pieces go out as they come; trailers may tell that it failed."""

    def __init__(self, api, client, event, content_type):
        self._api = api
        self._client = client
        self._event = event
        #: What came of the prelude; None once the head is out.
        self._prelude = b"" if content_type.partition(";")[0].strip().lower() == lambda_event.HTTP_STREAM else None
        self._failed = False
        if self._prelude is None:
            api.supervisor.reply_head(event.invocation, lambda_event.stream_head(content_type))

    def take(self, data):
        if self._failed:
            return
        if self._prelude is not None:
            self._prelude += data
            end = self._prelude.find(lambda_event.SEPARATOR)
            if end < 0:
                if len(self._prelude) > _HTTP_STREAM_LIMIT:
                    self._fail("InvalidStreaming", "the answer's prelude is longer than %d bytes" % _HTTP_STREAM_LIMIT)
                return
            data = self._prelude[end + len(lambda_event.SEPARATOR) :]
            if not self._begin(self._prelude[:end]):
                return
        if data:
            self._api.supervisor.reply_piece(self._event.invocation, data)

    def _begin(self, prelude):
        try:
            head = lambda_event.shape_prelude(prelude)
        except errors.FunctionError as error:
            self._fail(error.kind, str(error))
            return False
        except (ValueError, TypeError, RecursionError) as error:
            self._fail("InvalidStreaming", "the answer's prelude can't be read: %s" % error)
            return False
        self._prelude = None
        self._api.supervisor.reply_head(self._event.invocation, head)
        return True

    def _fail(self, kind, message):
        self._failed = True
        self._api.fail(self._event, kind, message)

    def broken(self, reason):
        if not self._failed:
            self._fail("Runtime.TruncatedResponse", reason)

    def end(self, trailers):
        index = {name.lower(): value for name, value in trailers}
        kind = index.get("lambda-runtime-function-error-type")
        if self._failed:
            pass
        elif kind is not None:
            try:
                text = b64decode(index.get("lambda-runtime-function-error-body", ""))
            except ValueError:
                text = b""
            self._api.fail(self._event, *read_error(text, kind))
        elif self._prelude is not None:
            self._fail("InvalidStreaming", "the answer ended before its prelude did, which is followed by 8 NUL bytes")
        else:
            self._api.finish(self._event)
            self._api.supervisor.reply_end(self._event.invocation)
        self._client.answer(202, b'{"status":"OK"}\n')


class RuntimeApi:
    """The style, for the supervisor."""

    def __init__(self, supervisor):
        self.supervisor = supervisor
        self.reactor = supervisor.reactor
        self.ready = False
        self._max_reply = int(supervisor.settings.get("maxReplyBytes") or 6 * 1024 * 1024)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self._listener.setblocking(False)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self.reactor.watch(self._listener.fileno(), self._accept)
        self._clients = set()
        #: Clients that wait for an event, and events that wait for a client: one of them is empty.
        self._polls = deque()
        self._waiting = deque()
        #: Id → Event, while it is handed out.
        self._events = {}
        self._paused = False

    def environment(self):
        supervisor = self.supervisor
        settings, name, folder = supervisor.settings, supervisor.name, supervisor.folder
        memory = settings.get("memoryBytes")
        found = {
            "AWS_LAMBDA_RUNTIME_API": self.address,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": str(settings.get("version", "$LATEST")),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str((memory or 128 * 1024 * 1024) // (1024 * 1024)),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/%s" % name,
            "AWS_LAMBDA_LOG_STREAM_NAME": "%s/[%s]" % (name, settings.get("version", "$LATEST")),
            "LAMBDA_TASK_ROOT": folder,
            "LAMBDA_RUNTIME_DIR": folder,
        }
        for variable, value in (("AWS_REGION", lambda_event.REGION), ("AWS_DEFAULT_REGION", lambda_event.REGION), ("_HANDLER", "function.handler"), ("TZ", ":UTC")):
            found[variable] = os.environ.get(variable, value)
        libraries = os.environ.get("LD_LIBRARY_PATH")
        found["LD_LIBRARY_PATH"] = ":".join([folder, os.path.join(folder, "lib"), *([libraries] if libraries else [])])
        return found

    def started(self):
        pass

    def not_ready(self):
        return "the program did not ask for its first event (GET %sinvocation/next at AWS_LAMBDA_RUNTIME_API) in time" % PREFIX

    # --- invocations

    def begin(self, invocation):
        ident = invocation.invoke["correlationId"]
        if not _REQUEST_ID.match(ident) or ident in self._events or any(event.id == ident for event in self._waiting):
            ident = token_hex(16)
        event = invocation.work = Event(invocation, ident)
        if self._polls:
            self._hand_out(self._polls.popleft(), event)
        else:
            self._waiting.append(event)

    def cancel(self, invocation):
        """One that is handed out can't be taken back: it is over for the platform when the runtime has answered."""
        event = invocation.work
        if event in self._waiting:
            self._waiting.remove(event)
        elif event is not None:
            return
        self.supervisor.fail(invocation, "Cancelled", "the invocation was cancelled")

    def pause(self, paused):
        self._paused = paused
        for client in list(self._clients):
            client.pause(paused)

    def _hand_out(self, client, event):
        invoke = event.invocation.invoke
        name, version = self.supervisor.name, self.supervisor.settings.get("version")
        self._events[event.id] = event
        headers = [
            ("Lambda-Runtime-Aws-Request-Id", event.id),
            ("Lambda-Runtime-Deadline-Ms", "%d" % invoke["deadline"]),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:%s:%s:function:%s%s" % (lambda_event.REGION, lambda_event.ACCOUNT, name, ":%s" % version if version else "")),
            ("Lambda-Runtime-Trace-Id", event.trace),
        ]
        client.answer(200, event.payload, headers)

    def finish(self, event):
        self._events.pop(event.id, None)

    def fail(self, event, kind, message, trace=""):
        self.finish(event)
        self.supervisor.fail(event.invocation, kind, message, trace)

    # --- the API

    def _accept(self, _events):
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        client = Client(self, sock)
        self._clients.add(client)
        if self._paused:
            client.pause(True)

    def forget(self, client):
        self._clients.discard(client)
        if client.polling:
            self._polls.remove(client)

    def open(self, client, head):
        """What takes the body of a request."""
        method, target, _ = head.start
        path = target.partition("?")[0]
        if not path.startswith(PREFIX):
            return _Ignored(lambda: client.refuse(404, "NotFound", "there is no %s" % path[:200]))
        parts = path[len(PREFIX) :].split("/")
        if parts == ["invocation", "next"]:
            return self._when(client, method == "GET", lambda: self._poll(client))
        if parts == ["init", "error"]:
            return self._when(client, method == "POST", None) or _Gathered(
                ERROR_BYTES, lambda body: self._init_error(client, head, body), lambda: self._too_large(client)
            )
        if len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
            return self._when(client, method == "POST", None) or self._open_answer(client, head, parts[1], parts[2])
        return _Ignored(lambda: client.refuse(404, "NotFound", "there is no %s" % path[:200]))

    def _when(self, client, allowed, answer):
        if not allowed:
            return _Ignored(lambda: client.refuse(405, "MethodNotAllowed", "this resource has no such method"))
        return answer and _Ignored(answer)

    def _open_answer(self, client, head, ident, what):
        event = self._events.get(ident)
        if event is None or event.answering:
            return _Ignored(lambda: client.refuse(403, "InvalidRequestID", "there is no invocation %s that waits for an answer" % ident[:64]))
        event.answering = True
        if what == "error":
            return _Gathered(ERROR_BYTES, lambda body: self._error(client, event, head, body), lambda: self._too_large(client, event), lambda reason: self._again(event))
        if head.index.get("lambda-runtime-function-response-mode", "").lower() == "streaming":
            return _Streamed(self, client, event, head.index.get("content-type", ""))
        return _Gathered(self._max_reply, lambda body: self._response(client, event, body), lambda: self._too_large(client, event), lambda reason: self._again(event))

    def _again(self, event):
        """The answer did not come in whole: it may be given once more."""
        event.answering = False

    def _poll(self, client):
        self.ready = True
        if self._waiting:
            self._hand_out(client, self._waiting.popleft())
        else:
            client.polling = True
            self._polls.append(client)

    def _response(self, client, event, body):
        self.finish(event)
        try:
            head, data = lambda_event.shape(body)
        except errors.FunctionError as error:
            self.supervisor.fail(event.invocation, error.kind, str(error))
        else:
            self.supervisor.reply_whole(event.invocation, head, data)
        client.answer(202, b'{"status":"OK"}\n')

    def _error(self, client, event, head, body):
        self.fail(event, *read_error(body, head.index.get("lambda-runtime-function-error-type")))
        client.answer(202, b'{"status":"OK"}\n')

    def _init_error(self, client, head, body):
        if self.ready:
            client.refuse(403, "InvalidStateTransition", "the runtime has been initialised: it has asked for an invocation")
            return
        client.answer(202, b'{"status":"OK"}\n')
        kind, message, trace = read_error(body, head.index.get("lambda-runtime-function-error-type"))
        raise errors.FunctionError(kind, message + ("\n" + trace if trace else ""))

    def _too_large(self, client, event=None):
        if event is not None:
            self.fail(event, "Function.ResponseSizeTooLarge", "the answer is larger than %d bytes" % self._max_reply)
        client.refuse(413, "RequestEntityTooLarge", "the body is larger than what is taken here")


def read_error(body, kind):
    """(type, message, trace) of what a runtime reports: {"errorMessage", "errorType", "stackTrace"}, or whatever else it sent."""
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return kind or "Error", body.decode("utf-8", "replace")[: errors.MESSAGE_BYTES] or "the runtime said nothing about it", ""
    trace = value.get("stackTrace") or []
    trace = "\n".join(str(line).rstrip("\n") for line in trace) if isinstance(trace, list) else str(trace)
    return str(value.get("errorType") or kind or "Error"), str(value.get("errorMessage") or ""), trace


def trace_id(pairs):
    """X-Ray's header as it came; else of the caller's W3C trace; else a new one."""
    index = {name.lower(): value for name, value in zip(pairs[::2], pairs[1::2])}
    given = index.get("x-amzn-trace-id")
    if given:
        return given
    found = re.match(r"[0-9a-f]{2}-([0-9a-f]{8})([0-9a-f]{24})-([0-9a-f]{16})-([0-9a-f]{2})", index.get("traceparent", ""))
    if found:
        first, rest, parent, flags = found.groups()
        return "Root=1-%s-%s;Parent=%s;Sampled=%d" % (first, rest, parent, int(flags, 16) & 1)
    import time

    return "Root=1-%08x-%s;Parent=%s;Sampled=0" % (int(time.time()), token_hex(12), token_hex(8))
