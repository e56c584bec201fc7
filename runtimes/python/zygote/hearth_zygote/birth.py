"""From a fork of the zygote to a sandbox: the new namespaces' first process sets them up, forks the agent, and waits for its end."""

import errno
import fcntl
import gc
import os
import signal
import sys
from _socket import AF_INET, AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, sethostname, socket
from struct import pack, unpack_from
from types import ModuleType

from . import kernel, split

DOOR = "/tmp/.zygote/door"
_ROLES = (b"\0", b"\1", b"\2")  # channel, standard output, standard error
_ID_MAP = b"65534 65534 1"
_TMPFS_FLAGS = kernel.MS_NOSUID | kernel.MS_NODEV
_PROC_FLAGS = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
_SHM_OPTIONS = b"mode=1777,size=16777216,nr_inodes=4096"
_PAGE = 4096
#: Files without content and folders take no page of a tmpfs, but kernel memory all the same.
_EMPTY_FILES = 1024
# The same as in src/sandbox/bubblewrap/root-filesystem.ts.
_COVERED_FILES = (
    *(b"interrupts", b"kallsyms", b"key-users", b"keys", b"latency_stats"),
    *(b"sched_debug", b"softirqs", b"timer_list", b"timer_stats"),
)
_COVERED_FOLDERS = (b"acpi", b"asound", b"scsi")
_SIOCSIFFLAGS = 0x8914
_LOOPBACK_UP = pack("16sH14x", b"lo", 0x1)  # struct ifreq, IFF_UP
_NETLINK_ROUTE = 0
_NLMSG_ERROR = 2
#: As bwrap reports a signal.
_SIGNALLED = 128


class Birth:
    """`entry`: the agent's, run as `__main__` in the sandbox."""

    def __init__(self, entry, seccomp, own_modules):
        with open(entry, "rb") as file:
            self._code = compile(file.read(), entry, "exec", dont_inherit=True)
        self._entry = entry
        self._privileges = kernel.Privileges(seccomp)
        self._own_modules = own_modules
        self._covers = _find_covers()
        try:
            self._split = split.Split()
        except (NotImplementedError, OSError):
            self._split = None

    @property
    def shares_memory(self):
        """Whether a sandbox's first process and its agent are over the same memory."""
        return self._split is not None

    def fork(self, token, tmp_bytes, routes):
        """A sandbox with connections to the platform; its process id. Raises OSError when the kernel has none to give."""
        pid = kernel.clone_into_namespaces()
        if pid == 0:
            self._first(lambda: _connect(token), tmp_bytes, routes, self._run_agent)
        return pid

    def rehearse(self):
        """Everything but connections and agent, to see whether this kernel allows it. Returns what went wrong, or None."""
        trouble = self._rehearse()
        if trouble is not None and self._split is not None:
            self._split = None
            trouble = self._rehearse()
        return trouble

    def _rehearse(self):
        read, write = os.pipe()
        try:
            pid = kernel.clone_into_namespaces()
        except OSError as error:
            return str(error)
        if pid == 0:
            empty = os.open("/dev/null", os.O_RDWR)
            self._first(lambda: (os.dup(empty), os.dup(empty), os.dup(write)), 65536, b"", lambda: os._exit(0))
        os.close(write)
        said = b""
        while True:
            data = os.read(read, 4096)
            if not data:
                break
            said += data
        os.close(read)
        _, status = os.waitpid(pid, 0)
        return None if status == 0 else said.decode("utf-8", "replace").strip() or "wait status %d" % status

    def _first(self, connect, tmp_bytes, routes, agent):
        """Never returns."""
        try:
            channel, out, err = connect()
            os.dup2(err, 2)
            _take_over(channel, out)
            _map_ids()
            os.setsid()
            _open_network(routes)
            sethostname("fn")
            _mount(tmp_bytes, self._covers)
            os.chdir("/tmp")
            self._privileges.drop(signal.SIGKILL)
            if self._split is not None:
                self._split.split()
                pid = 0
            else:
                pid = os.fork()
        except BaseException as error:
            os.write(2, ("hearth: the sandbox could not be set up: %s\n" % error).encode())
            os._exit(71)
        if pid == 0:
            agent()
            os._exit(70)
        os.closerange(0, 4)
        _wait_for(pid)

    def _run_agent(self):
        """The rest of the sandbox's life, as if the interpreter had been started for it."""
        status = 1
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            _reseed()
            main = ModuleType("__main__")
            main.__file__ = self._entry
            main.__builtins__ = sys.modules["builtins"]
            modules = sys.modules
            for name in self._own_modules:
                modules.pop(name, None)
            modules["__main__"] = main
            sys.argv = [self._entry]
            gc.enable()
            exec(self._code, main.__dict__)
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status & 0xFF)


def _connect(token):
    """Descriptors of channel, standard output and standard error. The door lies in the zygote's /tmp, which is covered afterwards."""
    found = []
    for role in _ROLES:
        connection = socket(AF_UNIX, SOCK_STREAM)
        connection.connect(DOOR)
        connection.sendall(token + role)
        found.append(connection.detach())
    return found


def _take_over(channel, out):
    """Puts the descriptors in their places and closes whatever else the zygote has open. Standard error is there already."""
    os.dup2(channel, 3)
    os.dup2(out, 1)
    os.closerange(4, 256)


def _map_ids():
    for path, content in (("/proc/self/setgroups", b"deny"), ("/proc/self/uid_map", _ID_MAP), ("/proc/self/gid_map", _ID_MAP)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.write(descriptor, content)
        os.close(descriptor)


def _open_network(routes):
    control = socket(AF_INET, SOCK_DGRAM)
    fcntl.ioctl(control.fileno(), _SIOCSIFFLAGS, _LOOPBACK_UP)
    control.close()
    if routes:
        _add_routes(routes)


def _add_routes(messages):
    """Sends rtnetlink requests, each of which asks for an acknowledgement."""
    netlink = socket(AF_NETLINK, SOCK_RAW, _NETLINK_ROUTE)
    netlink.settimeout(10)
    netlink.bind((0, 0))
    offset = 0
    while offset < len(messages):
        length = unpack_from("=I", messages, offset)[0]
        netlink.send(messages[offset : offset + length])
        # struct nlmsghdr, then an error number that is 0 when all is well.
        answer = netlink.recv(4096)
        kind, error = unpack_from("=H", answer, 4)[0], unpack_from("=i", answer, 16)[0]
        if kind != _NLMSG_ERROR or error not in (0, -errno.EEXIST):
            raise OSError(-error, "rtnetlink: %s" % os.strerror(-error))
        offset += (length + 3) & ~3
    netlink.close()


def _find_covers():
    """What is to be covered in a sandbox's /proc, as arguments of `kernel.mount`."""
    files = (b"/proc/" + name for name in _COVERED_FILES)
    folders = (b"/proc/" + name for name in _COVERED_FOLDERS)
    covers = [(b"/dev/null", path, None, kernel.MS_BIND) for path in files if os.path.exists(path) and os.stat(path).st_mode & 0o004]
    flags = _PROC_FLAGS
    covers += [(b"tmpfs", path, b"tmpfs", flags, b"mode=555,size=4096") for path in folders if os.path.isdir(path) and os.listdir(path)]
    return covers


def _mount(tmp_bytes, covers):
    kernel.mount(b"none", b"/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    options = b"mode=1777,size=%d,nr_inodes=%d" % (tmp_bytes, tmp_bytes // _PAGE + _EMPTY_FILES)
    kernel.mount(b"tmpfs", b"/tmp", b"tmpfs", _TMPFS_FLAGS, options)
    kernel.mount(b"tmpfs", b"/function", b"tmpfs", _TMPFS_FLAGS, options)
    kernel.mount(b"tmpfs", b"/dev/shm", b"tmpfs", _TMPFS_FLAGS, _SHM_OPTIONS)
    kernel.mount(b"proc", b"/proc", b"proc", _PROC_FLAGS)
    for cover in covers:
        kernel.mount(*cover)


def _reseed():
    """
    OpenSSL notices a fork by the process id, which is 2 for the zygote and for every agent: without this, siblings would draw the same
    keys. (os.fork, which made this process, takes care of Python's own `random`.)
    """
    ssl = sys.modules.get("_ssl")
    if ssl is not None:
        ssl.RAND_add(os.urandom(48), 48.0)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _wait_for(agent):
    """Reaps whatever comes to the namespace's first process; its own end, with the agent's, ends everything else in there."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == agent:
            os._exit(_SIGNALLED + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
