"""
Processes for invocations: forked when one comes, or one ahead, which then waits for its invocation (a spare).

A spare: waiting (in the template's group, has everything but the environment) → given an invocation → session leader, from which
moment on the script may have run. One that ends before that moment has run nothing, and its invocation is run by another process.
"""

import os
import signal
from _socket import AF_UNIX, MSG_DONTWAIT, SOCK_SEQPACKET, socketpair
from marshal import dumps

from . import child

#: A longer environment is not handed to a spare; well below what a socket's buffer takes in one piece.
MAX_HANDED_BYTES = 65536


class Process:
    """A child for one invocation. `out` and `err` are the read ends of its output, which whoever takes the process closes."""

    __slots__ = ("pid", "out", "err")

    def __init__(self, pid, out, err):
        self.pid = pid
        self.out = out
        self.err = err


class Forks:
    """Belongs to the template. `highest()` is the highest descriptor that the template has open besides those of this object."""

    def __init__(self, code, open_files, highest):
        self._code = code
        self._open_files = open_files
        self._highest = highest
        self._spare = None
        #: The template's end of the spare's socket.
        self._control = None

    @property
    def spares(self):
        """Process ids of waiting spares."""
        return () if self._spare is None else (self._spare.pid,)

    def start(self, environment):
        """A new process that runs the script. Raises OSError when none can be made."""
        return self._fork(lambda out, err, highest: child.run(self._code, environment, out, err, highest, self._open_files))

    def prepare(self):
        """Makes the spare. False when none can be made."""
        if self._spare is not None:
            return True
        control = theirs = None
        try:
            control, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
            self._spare = self._fork(
                lambda out, err, highest: child.wait(self._code, theirs.fileno(), out, err, highest, self._open_files),
                max(control.fileno(), theirs.fileno()),
            )
        except OSError:
            if control is not None:
                control.close()
            return False
        finally:
            if theirs is not None:
                theirs.close()
        self._control = control
        return True

    def hand_over(self, environment):
        """The spare, which now runs the script in that environment; None when there is none, or it can't take this."""
        if self._spare is None:
            return None
        data = dumps(environment)
        if len(data) > MAX_HANDED_BYTES:
            return None
        try:
            # In one piece or not at all.
            self._control.send(data, MSG_DONTWAIT)
        except OSError:
            self.discard()
            return None
        process = self._spare
        self._control.close()
        self._spare = self._control = None
        return process

    def discard(self):
        """Ends the spare. Its process is still to be reaped."""
        if self._spare is not None:
            os.kill(self._spare.pid, signal.SIGKILL)
            self._forget()

    def ended(self, pid):
        """To be told of every child that was reaped."""
        if self._spare is not None and self._spare.pid == pid:
            self._forget()

    def _forget(self):
        os.close(self._spare.out)
        os.close(self._spare.err)
        self._control.close()
        self._spare = self._control = None

    def _fork(self, become, highest=0):
        pipes = []
        try:
            pipes += os.pipe()
            pipes += os.pipe()
            pid = os.fork()
        except OSError:
            for descriptor in pipes:
                os.close(descriptor)
            raise
        out_read, out_write, err_read, err_write = pipes
        if pid == 0:
            become(out_write, err_write, max(highest, self._highest(), *pipes, *self._descriptors()))
        os.close(out_write)
        os.close(err_write)
        os.set_blocking(out_read, False)
        os.set_blocking(err_read, False)
        return Process(pid, out_read, err_read)

    def _descriptors(self):
        return () if self._spare is None else (self._spare.out, self._spare.err, self._control.fileno())

