"""Processes of invocations: noticing their end, and ending whatever they leave behind."""

import os
import signal

_PR_SET_CHILD_SUBREAPER = 36
#: Generations of strays that are killed before the sandbox is given up: a fork bomb may outrun us.
_MAX_ROUNDS = 1000


def become_subreaper():
    """Orphans of invocations come to this process, which kills them, instead of to the sandbox's init."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def notice_children():
    """(read end, write end) of a pipe that becomes readable when a child ends."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _nothing)
    return read, write


def _nothing(_number, _frame):
    """There must be a handler for the wake-up to be written."""


def kill_session(pid):
    """Kills an invocation's process and its group; what left the group is a stray once the process is gone."""
    # The group may not exist yet: the child makes it first thing, but it may not have run so far.
    for kill, target in ((os.kill, pid), (os.killpg, pid)):
        try:
            kill(target, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def reap(running):
    """
    Collects ended children: [(process id, value of `running` or None, wait status, whether it had become a session's leader)]. Those in
    `running` are taken out of it.
    """
    ended = []
    while True:
        try:
            # Looked at first, collected after: until then its number can't become another process's.
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return ended
        if found is None:
            return ended
        pid = found.si_pid
        invocation = running.pop(pid, None)
        leader = os.getsid(pid) == pid
        if invocation is not None:
            kill_session(pid)
        _, status = os.waitpid(pid, 0)
        ended.append((pid, invocation, status, leader))


def kill_strays(running, spares=()):
    """Kills every child that is no invocation's process and no spare, with all its descendants, which come to us as it dies."""
    for _ in range(_MAX_ROUNDS):
        strays = [pid for pid in children() if pid not in running and pid not in spares]
        if not strays:
            return
        for pid in strays:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for pid in strays:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass
    os.write(2, b"hearth: processes of an ended invocation can't be caught; the sandbox ends\n")
    os._exit(71)


#: The open list of this process's children, and whose it is: kept open, so that it can be read when no descriptor is left.
_list_descriptor = None
_list_owner = None


def open_children():
    """Opens the kernel's list of this process's children. Returns the descriptor; None where the kernel keeps no such list."""
    global _list_descriptor, _list_owner
    _list_owner = os.getpid()
    try:
        _list_descriptor = os.open("/proc/thread-self/children", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        _list_descriptor = None
    return _list_descriptor


def children():
    """Ids of this process's children."""
    if _list_owner != os.getpid():
        if _list_descriptor is not None:
            os.close(_list_descriptor)
        open_children()
    if _list_descriptor is None:
        return _children_by_parent()
    text = b""
    while True:
        data = os.pread(_list_descriptor, 65536, len(text))
        if not data:
            return [int(word) for word in text.split()]
        text += data


def _children_by_parent():
    """For kernels without CONFIG_PROC_CHILDREN."""
    found = []
    me = os.getpid()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as stat:
                    parent = int(stat.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            if parent == me:
                found.append(int(name))
    return found


def exit_object(status):
    """Exited's payload."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return {"signal": signal.Signals(number).name}
        except ValueError:
            return {"signal": "SIG%d" % number}
    return {"code": os.WEXITSTATUS(status)}
