"""
A zygote's life: BOOTED → START → imports → READY → (FORK | KILL)* → the platform closes the channel. One thread, one loop; it runs no
function's code, and all that it imports besides this package are the agent and the layers' libraries.
"""

import base64
import gc
import json
import os
import signal
import sys
from _socket import AF_UNIX, SOCK_STREAM, socket
from select import POLLIN, poll

from . import birth, kernel, lean, wire

CONTROL = 3


def run():
    """Never returns."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    control = socket(AF_UNIX, SOCK_STREAM, 0, CONTROL)
    os.set_inheritable(CONTROL, False)
    control.sendall(wire.encode(wire.BOOTED))
    decoder = wire.Decoder()
    start = _receive_start(control, decoder)
    kernel.forget_initial_environment()

    imported, rehearsed, excluded = _prepare(control, start)
    own = [name for name in sys.modules if name.partition(".")[0] == "hearth_zygote"]
    newborn = birth.Birth(start["entry"], base64.b64decode(start["seccomp"]), own)
    _settle()
    trouble = newborn.rehearse()
    if trouble is not None:
        _give_up(control, trouble, excluded)
    _Loop(control, decoder, newborn).run({"imported": imported, "rehearsed": rehearsed, "excluded": excluded, "sharesMemory": newborn.shares_memory})


def _settle():
    """Once everything is there that sandboxes are to share."""
    if "_ssl" in sys.modules:
        # So that its generator exists here, in pages that are shared, and only takes new seed in each sandbox.
        sys.modules["_ssl"].RAND_bytes(1)
    gc.disable()
    gc.collect()
    gc.freeze()
    lean.settle()


def _receive_start(control, decoder):
    messages = []
    while not messages:
        data = control.recv(65536)
        if not data:
            os._exit(0)
        messages = decoder.feed(data)
    kind, _, payload = messages[0]
    if kind != wire.START or len(messages) != 1:
        os._exit(70)
    return json.loads(payload)


def _prepare(control, start):
    """Imports the agent, then the layers' libraries. (imported, rehearsed, excluded)."""
    folder = os.path.dirname(start["entry"])
    layers = start["layers"]
    excluded = start["exclude"]
    sys.path.insert(0, folder)
    try:
        from hearth_agent import boot, libraries, processes
    except ModuleNotFoundError:
        sys.path.remove(folder)
        return [], [], excluded  # another agent: it prepares itself after the fork
    sys.path.remove(folder)
    boot.prepare()
    processes.become_subreaper()
    sys.path[:0] = layers
    imported, rehearsed, excluded, spoilt = libraries.import_all(libraries.requested(layers), excluded)
    libraries.forget_path(layers)
    if spoilt is None and not libraries.only_thread():
        spoilt = imported[-1]
    if spoilt is not None:
        _give_up(control, "the import of %s has side effects only at times" % spoilt, [*excluded, spoilt])
    return imported, rehearsed, excluded


def _give_up(control, reason, exclude):
    control.sendall(wire.encode(wire.UNUSABLE, payload=json.dumps({"reason": reason, "exclude": exclude}).encode()))
    os._exit(0)


class _Loop:
    def __init__(self, control, decoder, newborn):
        self._control = control
        self._decoder = decoder
        self._newborn = newborn
        #: Token → process id, and back.
        self._pids = {}
        self._tokens = {}

    def run(self, ready):
        children = kernel.signalfd(signal.SIGCHLD)
        wait = poll()
        wait.register(CONTROL, POLLIN)
        wait.register(children, POLLIN)
        self._send(wire.READY, wire.NO_TOKEN, json.dumps(ready).encode())
        while True:
            for descriptor, _ in wait.poll():
                if descriptor == children:
                    os.read(children, 128 * 16)
                    self._reap()
                else:
                    self._obey()

    def _send(self, kind, token, payload):
        self._control.sendall(wire.encode(kind, token, payload))

    def _obey(self):
        data = self._control.recv(65536)
        if not data:
            os._exit(0)
        for kind, token, payload in self._decoder.feed(data):
            if kind == wire.FORK:
                self._fork(token, payload)
            elif kind == wire.KILL:
                pid = self._pids.get(token)
                # Not reaped yet, or it would not be in the table: the number is still its own.
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)

    def _fork(self, token, payload):
        tmp_bytes = wire.fork_head.unpack_from(payload)[0]
        routes = payload[wire.fork_head.size :]
        try:
            pid = self._newborn.fork(token, tmp_bytes, routes)
        except OSError as error:
            self._send(wire.REFUSED, token, str(error).encode())
            return
        self._pids[token] = pid
        self._tokens[pid] = token
        # Whose network namespace it is, so that nobody else's is taken for it when its number is used anew.
        network = os.stat("/proc/%d/ns/net" % pid).st_ino if routes else 0
        self._send(wire.FORKED, token, wire.forked.pack(pid, network))

    def _reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            token = self._tokens.pop(pid, None)
            if token is not None:
                del self._pids[token]
                self._send(wire.EXITED, token, wire.number.pack(status))
