"""The template's event loop: invocations in, a forked process for each, their output and connections carried to the platform."""

import gc
import json
import os
from select import POLLIN, POLLOUT, poll

from . import child, errors, frames, processes, resolve
from .boot import listens, parse_invoke
from .channel import READ_BYTES, STREAM_FRAMES, ChannelClosed, Outbox
from .forks import Forks
from .request import script_environment
from .streams import Tunnel

LOG_BYTES = 65536
#: More than the kernel holds for a connection whose other end has gone.
MAX_LEFT = 16 * 1024 * 1024


class Invocation:
    __slots__ = ("ident", "invoke", "missing", "pieces", "pid", "handed", "status", "pipes", "carried")

    def __init__(self, ident, invoke):
        self.ident = ident
        self.invoke = invoke
        self.missing = invoke["bodyLength"]
        self.pieces = []
        self.pid = None
        #: The environment that a spare was given for it and may not have taken; None once there is nothing to be run anew.
        self.handed = None
        #: waitpid's, once the process has ended.
        self.status = None
        #: Descriptor → type of frame.
        self.pipes = {}
        #: What the tunnel had carried when this began to finish.
        self.carried = None


class Template:
    """
    An invocation: receiving (body incomplete) → running (forked) → finishing (its processes are gone, what they wrote is taken over) → gone.
    While more waits for the channel than it takes, nothing is read from functions.
    """

    def __init__(self, channel, load, code, listeners):
        self._channel = channel
        self._sock = channel.sock
        self._name = load["function"]
        self._poll = poll()
        self._callbacks = {}
        self._outbox = Outbox(self._sock, self._outbox_changed)
        self._paused = False
        self._closing = False
        self._receiving = {}
        #: Process id → invocation.
        self._running = {}
        self._finishing = []
        processes.become_subreaper()
        self._list = processes.open_children()
        self._wake, self._wake_write = processes.notice_children()
        self._tunnel = Tunnel(listeners, self._watch, self._unwatch, self._outbox.send) if listeners else None
        self._forks = Forks(code, load["limits"].get("openFiles"), self._highest_descriptor)
        #: A spare is to be forked as soon as nothing else is to be done.
        self._spare_due = True
        self._cores = len(os.sched_getaffinity(0))
        child.prepare()
        self._relay = None
        if load.get("calls"):
            from .call_relay import CallRelay

            self._relay = CallRelay(self._watch, self._unwatch, self._outbox.send, self._caller_of)
            child.calls_address = self._relay.address
            self._channel.on_call = self._relay.deliver
        for where in listens(load)[:1]:
            resolve.warm_up(where["name"], where["port"])

    def run(self):
        self._sock.setblocking(False)
        self._watch(self._sock.fileno(), self._channel_ready, POLLIN)
        self._watch(self._wake, self._children_ended, POLLIN)
        gc.collect()
        gc.freeze()
        try:
            self._dispatch_received()
            while True:
                self._settle()
                ready = self._poll.poll(0 if self._spare_due else None)
                if not ready:
                    self._spare_due = False
                    self._forks.prepare()
                for descriptor, events in ready:
                    callback = self._callbacks.get(descriptor)
                    if callback is not None:
                        callback(events)
        except ChannelClosed:
            self._die(0)
        except frames.ProtocolError as error:
            self._kill_all()
            errors.fatal("protocol error: %s" % error)
        except BaseException:
            import traceback

            self._kill_all()
            errors.fatal("the runtime broke:\n%s" % traceback.format_exc(), 71)

    # --- the loop's parts

    def _watch(self, descriptor, callback, events):
        self._callbacks[descriptor] = callback
        self._poll.register(descriptor, events)

    def _unwatch(self, descriptor):
        if self._callbacks.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def _outbox_changed(self):
        self._poll.register(self._sock.fileno(), POLLIN | POLLOUT if self._outbox.size else POLLIN)

    def _settle(self):
        """Between two rounds: finish what can be finished, read or don't read from functions, end when asked to."""
        if self._finishing:
            self._finishing = [invocation for invocation in self._finishing if not self._finish(invocation)]
        full = self._outbox.full
        if full != self._paused:
            self._paused = full
            if self._tunnel is not None:
                self._tunnel.pause(full)
            if self._relay is not None:
                self._relay.pause(full)
            for invocation in self._running.values():
                self._watch_pipes(invocation)
        if self._closing and not (self._running or self._receiving or self._finishing or self._outbox.size):
            os._exit(0)

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
            invocation = Invocation(ident, parse_invoke(payload))
            if invocation.missing:
                self._receiving[ident] = invocation
            else:
                self._start(invocation)
        elif kind == frames.INVOKE_BODY:
            invocation = self._receiving.get(ident)
            if invocation is not None:
                invocation.pieces.append(payload)
                invocation.missing -= len(payload)
                if invocation.missing < 0:
                    raise frames.ProtocolError("more body came than Invoke announced")
                if invocation.missing == 0:
                    del self._receiving[ident]
                    self._start(invocation)
        elif kind in STREAM_FRAMES:
            if self._tunnel is not None:
                self._tunnel.take(kind, ident, payload)
        elif kind == frames.CANCEL:
            self._cancel(ident)
        elif kind == frames.SHUTDOWN:
            self._closing = True
            self._spare_due = False
            self._forks.discard()
        else:
            raise frames.ProtocolError("type 0x%02x came after Ready" % kind)

    # --- an invocation's life

    def _start(self, invocation):
        environment = script_environment(invocation.invoke, b"".join(invocation.pieces))
        invocation.pieces = invocation.invoke = None
        process = self._forks.hand_over(environment)
        if process is None:
            self._fork(invocation, environment)
        else:
            invocation.handed = environment
            self._follow(invocation, process)
        self._plan_spare()

    def _plan_spare(self):
        """A spare is made ahead of its invocation where a core may have the time for it: else it would only slow down what runs."""
        self._spare_due = not (self._closing or self._forks.spares) and len(self._running) < self._cores

    def _fork(self, invocation, environment):
        try:
            process = self._forks.start(environment)
        except OSError as error:
            self._fork_failed(invocation, error)
            return
        invocation.handed = None
        self._follow(invocation, process)

    def _follow(self, invocation, process):
        invocation.pid = process.pid
        invocation.pipes = {process.out: frames.LOG_OUT, process.err: frames.LOG_ERR}
        self._running[process.pid] = invocation
        self._watch_pipes(invocation)

    def _caller_of(self, pid):
        """The invocation that a process belongs to: its id on the channel, or None."""
        try:
            invocation = self._running.get(os.getsid(pid))
        except OSError:
            return None
        return None if invocation is None else invocation.ident

    def _fork_failed(self, invocation, error):
        payload = json.dumps({"type": "ForkFailed", "message": "no process could be made for the invocation: %s" % error}).encode()
        self._outbox.send(frames.encode(frames.FAILED, invocation.ident, payload))

    def _highest_descriptor(self):
        known = [*self._callbacks, self._wake, self._wake_write, self._sock.fileno(), self._list or 0]
        if self._tunnel is not None:
            known += self._tunnel.descriptors()
        if self._relay is not None:
            known += self._relay.descriptors()
        for invocation in (*self._running.values(), *self._finishing):
            known += invocation.pipes
        return max(known)

    def _watch_pipes(self, invocation):
        for descriptor in invocation.pipes:
            if self._paused:
                self._unwatch(descriptor)
            else:
                self._watch(descriptor, lambda _events, descriptor=descriptor: self._read_pipe(invocation, descriptor), POLLIN)

    def _read_pipe(self, invocation, descriptor):
        """False when there is nothing to read now, or ever."""
        try:
            data = os.read(descriptor, LOG_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._unwatch(descriptor)
            os.close(descriptor)
            del invocation.pipes[descriptor]
            return False
        self._outbox.send(frames.encode(invocation.pipes[descriptor], invocation.ident, data))
        return True

    def _cancel(self, ident):
        invocation = self._receiving.pop(ident, None)
        if invocation is not None:
            self._outbox.send(frames.encode(frames.EXITED, ident, b'{"signal": "SIGKILL"}'))
            return
        for pid, running in self._running.items():
            if running.ident == ident:
                running.handed = None
                processes.kill_session(pid)

    def _children_ended(self, _events):
        try:
            os.read(self._wake, 4096)
        except BlockingIOError:
            pass
        ended = processes.reap(self._running)
        for pid, _, _, _ in ended:
            self._forks.ended(pid)
        ended = [end for end in ended if end[1] is not None]
        if not ended:
            return
        processes.kill_strays(self._running, self._forks.spares)
        for _, invocation, status, begun in ended:
            if invocation.handed is not None and not begun:
                # The spare was killed before it had begun with it.
                self._forget_pipes(invocation)
                self._fork(invocation, invocation.handed)
                continue
            invocation.status = status
            for descriptor in invocation.pipes:
                self._unwatch(descriptor)
            self._finishing.append(invocation)
        self._plan_spare()

    def _forget_pipes(self, invocation):
        for descriptor in invocation.pipes:
            self._unwatch(descriptor)
            os.close(descriptor)
        invocation.pipes = {}

    def _finish(self, invocation):
        """True once everything that the invocation's processes wrote is on its way, and Exited behind it."""
        if self._outbox.full or not self._drain_tunnel(invocation):
            return False
        for descriptor in list(invocation.pipes):
            while self._read_pipe(invocation, descriptor):
                if self._outbox.full:
                    return False
        self._forget_pipes(invocation)
        self._outbox.send(frames.encode(frames.EXITED, invocation.ident, json.dumps(processes.exit_object(invocation.status)).encode()))
        return True

    def _drain_tunnel(self, invocation):
        tunnel = self._tunnel
        if tunnel is None:
            return True
        if invocation.carried is None:
            invocation.carried = tunnel.carried
        # The bytes of another invocation that sends without end are none of this one's, and must not keep it from ending.
        return tunnel.carried - invocation.carried > MAX_LEFT or tunnel.drain(lambda: self._outbox.full)

    # --- the end

    def _kill_all(self):
        for pid in self._running:
            processes.kill_session(pid)
        processes.kill_strays(())

    def _die(self, code):
        self._kill_all()
        os._exit(code)
