"""
Programs as functions: the styles `server` (it listens, and is sent requests) and `lambda` (it asks for events). This process starts the program, carries
invocations to it and answers back, and imports nothing of it. One thread, no waiting but in the reactor.
"""

import json
import os
import sys
from select import POLLIN, POLLOUT

from . import errors, frames, processes
from .boot import parse_invoke
from .channel import READ_BYTES, STREAM_FRAMES, ChannelClosed, Outbox
from .program import Program
from .reactor import Reactor
from .streams import Tunnel

_SHEBANG = b"#!"
_ELF = b"\x7fELF"
_MODES = {1: frames.LOG_OUT, 2: frames.LOG_ERR}
#: Who calls the function need not see what it prints.
_WHERE = "; what it printed is in the function's log"


class Invocation:
    __slots__ = ("ident", "invoke", "missing", "streamed", "pieces", "work")

    def __init__(self, ident, invoke):
        self.ident = ident
        self.invoke = invoke
        self.streamed = invoke["bodyLength"] is None
        self.missing = 0 if self.streamed else invoke["bodyLength"]
        self.pieces = []
        #: The style's own; None until its body is there.
        self.work = None

    @property
    def body(self):
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)


class Supervisor:
    """
    What both styles have in common. A style is an object with: `environment()` for the program, `started(program)`, `ready` (it may be
    sent invocations), `begin(invocation)`, `cancel(invocation)`, `pause(paused)` (whether the platform is slow), `descriptors()`.
    """

    def __init__(self, channel, load, source, listeners):
        self._channel = channel
        self._sock = channel.sock
        self._load = load
        self.name = load["function"]
        self.settings = load.get("program") or {}
        self.concurrency = max(1, int(load.get("concurrency", 1)))
        self.reactor = Reactor()
        self._outbox = Outbox(self._sock, self._outbox_changed)
        #: Connections to services.
        self._tunnel = Tunnel(listeners, self.reactor.watch, self.reactor.unwatch, self._outbox.send) if listeners else None
        #: id → Invocation, until it is over.
        self.invocations = {}
        self._closing = False
        self._paused = False
        self.program = None
        self._style = None
        self.folder, self.command = prepare(load, source)

    # --- from Load to Ready

    def start(self, style):
        """Starts the program and returns once it may be sent invocations. Raises FunctionError when that does not come."""
        self._style = style
        self._sock.setblocking(False)
        self.reactor.watch(self._sock.fileno(), self._channel_ready, POLLIN)
        environment = {**os.environ, **style.environment()}
        self.program = Program(
            self.reactor, self.command, environment, self.folder, self._load["limits"].get("openFiles"), self._printed, self._program_ended
        )
        try:
            style.started()
            timeout = self.reactor.after(self.settings.get("startTimeoutMs", 30_000) / 1000, self._too_slow)
            self._dispatch_received()
            while not style.ready:
                self.reactor.turn()
                self._settle()
        except BaseException:
            self.program.kill()
            # What is said of it next goes to the channel directly.
            self._flush()
            raise
        timeout.cancel()
        ready = {"concurrency": self.concurrency, "preloaded": [], "excluded": []}
        self._outbox.send(frames.encode(frames.READY, 0, json.dumps(ready).encode()))

    def _too_slow(self):
        self.program.kill()
        raise errors.FunctionError("ProgramNotReady", self._style.not_ready() + _WHERE)

    # --- the loop

    def run(self):
        try:
            while True:
                self._settle()
                self.reactor.turn()
        except ChannelClosed:
            self._die(0)
        except frames.ProtocolError as error:
            self.program.kill()
            errors.fatal("protocol error: %s" % error)
        except BaseException:
            import traceback

            self.program.kill()
            errors.fatal("the runtime broke:\n%s" % traceback.format_exc(), 71)

    def _settle(self):
        full = self._outbox.full
        if full != self._paused:
            self._paused = full
            self.program.pause(full)
            self._style.pause(full)
            if self._tunnel is not None:
                self._tunnel.pause(full)
        if self._closing and not self.invocations and not self._outbox.size:
            self.program.stop(self.settings.get("stopGraceMs", 5000) / 1000)

    def _outbox_changed(self):
        self.reactor.watch(self._sock.fileno(), self._channel_ready, POLLIN | POLLOUT if self._outbox.size else POLLIN)

    def _channel_ready(self, events):
        if events & POLLOUT:
            self._outbox.flush()
        if events & ~POLLOUT:
            try:
                data = self._sock.recv(READ_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                raise ChannelClosed from error
            self._channel.take(data)
            self._dispatch_received()

    def _dispatch_received(self):
        received = self._channel.received
        while received:
            self._dispatch(*received.popleft())

    def _dispatch(self, kind, ident, payload):
        if kind == frames.INVOKE:
            invocation = self.invocations[ident] = Invocation(ident, parse_invoke(payload, streamed=True))
            if not invocation.missing:
                self._style.begin(invocation)
        elif kind == frames.INVOKE_BODY:
            invocation = self.invocations.get(ident)
            if invocation is None:
                return  # cancelled while its body was on the way
            if invocation.streamed:
                invocation.work.take(payload)
                return
            invocation.pieces.append(payload)
            invocation.missing -= len(payload)
            if invocation.missing < 0:
                raise frames.ProtocolError("more body came than Invoke announced")
            if invocation.missing == 0:
                self._style.begin(invocation)
        elif kind == frames.INVOKE_END:
            invocation = self.invocations.get(ident)
            if invocation is not None and invocation.streamed:
                invocation.work.end()
        elif kind == frames.REPLY_CREDIT:
            invocation = self.invocations.get(ident)
            if invocation is not None and invocation.streamed:
                invocation.work.credited(int.from_bytes(payload, "big"))
        elif kind == frames.CANCEL:
            invocation = self.invocations.get(ident)
            if invocation is not None:
                self._style.cancel(invocation)
        elif kind == frames.SHUTDOWN:
            self._closing = True
        elif kind in STREAM_FRAMES:
            if self._tunnel is not None:
                self._tunnel.take(kind, ident, payload)
        else:
            raise frames.ProtocolError("type 0x%02x came to a program's supervisor" % kind)

    # --- answers

    def send(self, *parts):
        self._outbox.send(b"".join(parts))

    def _end(self, invocation):
        """What it printed goes before its end. False when it was over."""
        if invocation.ident not in self.invocations:
            return False
        self.program.drain()
        del self.invocations[invocation.ident]
        return True

    def reply_whole(self, invocation, head, body):
        """A whole answer; the invocation is over."""
        self._end(invocation)
        ident = invocation.ident
        self.send(
            frames.encode(frames.REPLY_HEAD, ident, head),
            *frames.encode_body(frames.REPLY_BODY, ident, body),
            frames.encode(frames.REPLY_END, ident),
        )

    def reply_head(self, invocation, head):
        self.send(frames.encode(frames.REPLY_HEAD, invocation.ident, head))

    def reply_piece(self, invocation, data):
        self.send(*frames.encode_body(frames.REPLY_BODY, invocation.ident, data))

    def credit(self, invocation, count):
        """So many bytes of its streamed body are with the program."""
        if invocation.ident in self.invocations:
            self.send(frames.encode(frames.INVOKE_CREDIT, invocation.ident, count.to_bytes(4, "big")))

    def reply_end(self, invocation):
        self._end(invocation)
        self.send(frames.encode(frames.REPLY_END, invocation.ident))

    def fail(self, invocation, kind, message, trace="", fatal=False):
        """The invocation is over. `fatal`: so is the sandbox; nothing more may be sent to it."""
        if not self._end(invocation):
            return
        error = {
            "type": errors.cut(kind, 256),
            "message": errors.cut(message, errors.MESSAGE_BYTES),
            "trace": errors.cut(trace, errors.TRACE_BYTES),
        }
        if fatal:
            error["fatal"] = True
        self.send(frames.encode(frames.FAILED, invocation.ident, json.dumps(error).encode()))

    # --- the program

    def _printed(self, stream, data):
        # With one at a time there is no doubt whose it is.
        ident = next(iter(self.invocations)) if len(self.invocations) == 1 else 0
        self.send(*frames.encode_body(_MODES[stream], ident, data))

    def _program_ended(self, how):
        if not self._style.ready:
            raise errors.FunctionError("ProgramExited", "the program %s before it was ready%s" % (how, _WHERE))
        self.give_up("the program %s%s" % (how, _WHERE), 0 if self._closing else 1)

    def give_up(self, message, code=1):
        """The program can't be used any more: all that it had is failed, and the sandbox ends."""
        for invocation in list(self.invocations.values()):
            self.fail(invocation, "ProgramExited", message, fatal=True)
        self._flush()
        self._die(code)

    def _flush(self):
        self._sock.setblocking(True)
        try:
            while self._outbox.size:
                self._outbox.flush()
        except ChannelClosed:
            pass

    def _die(self, code):
        self.program.kill()
        processes.kill_strays(())
        os._exit(code)


def load(channel, load, source, listeners):
    """Returns what serves invocations for ever, once the program is ready for them."""
    if load["style"] == "server":
        from .proxy import Proxy as Style
    else:
        from .runtime_api import RuntimeApi as Style
    supervisor = Supervisor(channel, load, source, listeners)
    try:
        supervisor.start(Style(supervisor))
    except errors.FunctionError as error:
        # It becomes part of a sentence.
        raise errors.FunctionError(error.kind, str(error).rstrip(".")) from None
    return supervisor.run


# --- the program's files and command


def prepare(load, source):
    """(folder that it starts in, argv). Writes the code where the function is one file."""
    from . import environment

    environment.allow_open_files()
    settings = load.get("program") or {}
    runtime = load.get("runtime") or "python"
    root = os.path.join(os.environ.get("TMPDIR") or "/tmp", ".hearth-%d" % os.getpid())
    os.makedirs(os.path.join(root, "bin"), 0o755, exist_ok=True)
    for name in ("python", "python3"):
        _link(sys.executable, os.path.join(root, "bin", name))
    bundle = load.get("bundle")
    if bundle is not None:
        folder, entry = bundle["folder"], bundle["entry"]
    else:
        folder = os.path.join(root, "function")
        os.makedirs(folder, 0o755, exist_ok=True)
        entry = file_name(source, runtime)
        _write(os.path.join(folder, entry), source)
    layers = load["layers"]
    _put_in_front("PATH", [os.path.join(root, "bin"), *(os.path.join(layer, "bin") for layer in layers)])
    _put_in_front("PYTHONPATH", [folder, *layers])
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    os.environ["PWD"] = folder
    return folder, settings.get("command") or default_command(folder, entry)


def file_name(source, runtime):
    """Of a function that is one file."""
    if source.startswith(_SHEBANG) or source.startswith(_ELF):
        return "bootstrap"
    return "function.py" if runtime == "python" else "function.js"


def default_command(folder, entry):
    """How the file is run."""
    path = os.path.join(folder, entry)
    with open(path, "rb") as file:
        start = file.read(4)
    if start.startswith(_SHEBANG) or start == _ELF:
        return [path]
    if entry.endswith(".py"):
        return ["python", path]
    if entry.endswith((".js", ".mjs", ".cjs", ".ts", ".mts", ".cts")):
        return ["node", path]
    return [path]


def _write(path, source):
    with open(path, "wb") as file:
        file.write(source)
    os.chmod(path, 0o755)


def _link(target, path):
    try:
        os.symlink(target, path)
    except FileExistsError:
        pass


def _put_in_front(name, folders):
    before = os.environ.get(name)
    os.environ[name] = ":".join([*folders, before] if before else folders)
