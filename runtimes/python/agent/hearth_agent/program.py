"""A program of the function's, in a session of its own: started, listened to, stopped."""

import errno
import os
import resource
import signal

from . import errors, processes

READ_BYTES = 65536


class Program:
    """
    running → ended. `on_output(stream, data)`: stream is 1 or 2. `on_end(what)`: what became of it, in words, once all that it printed has been
    passed on.
    """

    def __init__(self, reactor, argv, environment, folder, open_files, on_output, on_end):
        self._reactor = reactor
        self._on_output = on_output
        self._on_end = on_end
        self._pipes = {}
        self._stop_timer = None
        self._paused = False
        #: In words, once it has ended.
        self.ended = None
        processes.become_subreaper()
        self._wake, _ = processes.notice_children()
        reactor.watch(self._wake, self._children_ended)
        self.pid = self._start(argv, environment, folder, open_files)

    def _start(self, argv, environment, folder, open_files):
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        failed_read, failed_write = os.pipe()
        path = environment.get("PATH", os.defpath)
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                null = os.open(os.devnull, os.O_RDONLY)
                for descriptor, number in ((null, 0), (out_write, 1), (err_write, 2)):
                    os.dup2(descriptor, number)
                signal.set_wakeup_fd(-1)
                for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
                    signal.signal(number, signal.SIG_DFL)
                if open_files is not None:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
                os.chdir(folder)
                os.environ["PATH"] = path
                os.execvpe(argv[0], argv, environment)
            except OSError as error:
                os.write(failed_write, str(error.errno or errno.EIO).encode())
            finally:
                os._exit(127)
        for descriptor in (out_write, err_write, failed_write):
            os.close(descriptor)
        failure = os.read(failed_read, 16)
        os.close(failed_read)
        if failure:
            os.waitpid(pid, 0)
            raise errors.FunctionError("ProgramNotStarted", why_not(argv, int(failure), folder))
        for descriptor, stream in ((out_read, 1), (err_read, 2)):
            os.set_blocking(descriptor, False)
            self._pipes[descriptor] = stream
        self._watch_pipes()
        return pid

    def pause(self, paused):
        """Whether what it prints is left where it is, since the platform is slow."""
        if paused == self._paused:
            return
        self._paused = paused
        self._watch_pipes()

    def _watch_pipes(self):
        for descriptor in self._pipes:
            if self._paused:
                self._reactor.unwatch(descriptor)
            else:
                self._reactor.watch(descriptor, lambda _events, descriptor=descriptor: self._read(descriptor))

    def drain(self):
        """Passes on what it has printed so far, a pipe's worth at most."""
        if not self._paused:
            for descriptor in list(self._pipes):
                self._read(descriptor)

    def stop(self, seconds):
        """SIGTERM to all of its session; SIGKILL when it is still there after so long."""
        if self.ended is not None or self._stop_timer is not None:
            return
        self._signal(signal.SIGTERM)
        self._stop_timer = self._reactor.after(seconds, lambda: self._signal(signal.SIGKILL))

    def kill(self):
        if self.ended is None:
            self._signal(signal.SIGKILL)

    def _signal(self, number):
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def _read(self, descriptor):
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._close(descriptor)
            return False
        self._on_output(self._pipes[descriptor], data)
        return True

    def _close(self, descriptor):
        self._reactor.unwatch(descriptor)
        os.close(descriptor)
        del self._pipes[descriptor]

    def _children_ended(self, _events):
        try:
            os.read(self._wake, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid and self.ended is None:
                self._end(status)

    def _end(self, status):
        if self._stop_timer is not None:
            self._stop_timer.cancel()
        # What it has started goes with it: nothing of the function is left when the program is not.
        self._signal(signal.SIGKILL)
        for descriptor in list(self._pipes):
            while descriptor in self._pipes and self._read(descriptor):
                pass
        for descriptor in list(self._pipes):
            self._close(descriptor)
        exit_object = processes.exit_object(status)
        self.ended = "was ended by %s" % exit_object["signal"] if "signal" in exit_object else "exited with code %d" % exit_object["code"]
        self._on_end(self.ended)


def why_not(argv, number, folder):
    """Why the program was not there, in words that tell what to do."""
    program = argv[0]
    message = "%s could not be started: %s." % (program, os.strerror(number))
    path = os.path.join(folder, program)
    if number == errno.ENOENT and os.path.exists(path):
        interpreter = _interpreter_of(path)
        if interpreter:
            return "%s could not be started: its first line asks for %s, which the sandbox does not have. The setting sandbox.extra_binds shows programs of the machine to all functions." % (
                program,
                interpreter,
            )
        return message + " It is linked with a loader or libraries that the sandbox does not have; link it statically."
    if number == errno.ENOENT:
        return message + " Sandboxes have the runtime and the function's own files; the setting sandbox.extra_binds shows programs of the machine to all functions."
    if number == errno.ENOEXEC:
        return message + " It is neither a program of this architecture nor does it begin with #! and its interpreter."
    if number == errno.EACCES:
        return message + " Is it marked as executable?"
    return message


def _interpreter_of(path):
    try:
        with open(path, "rb") as file:
            first = file.readline(256)
    except OSError:
        return None
    words = first[2:].split() if first.startswith(b"#!") else []
    return words[0].decode("utf-8", "replace") if words else None
