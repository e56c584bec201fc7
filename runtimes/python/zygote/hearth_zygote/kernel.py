"""System calls that Python has no functions for. Each raises OSError."""

import ctypes
import mmap
import os
from struct import pack

# PyDLL keeps the interpreter's lock during calls: the raw clone below must return in the child as it was called in the parent.
_libc = ctypes.PyDLL(None, use_errno=True)
_syscall = _libc.syscall
_mount = _libc.mount
_prctl = _libc.prctl
_mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
_syscall.argtypes = (ctypes.c_long,) + (ctypes.c_ulong,) * 5
_syscall.restype = ctypes.c_long

_SYS_CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine)
_SIGCHLD = 17
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2


def _failed(what):
    number = ctypes.get_errno()
    return OSError(number, "%s: %s" % (what, os.strerror(number)))


def clone_into_namespaces():
    """
    Forks into new namespaces of every kind at once; the child is process 1 of them, and has every capability there. 0 in the child.
    Only for a process of one thread, and a child that forks again (os.fork) before it runs anybody's code: Python and the C library
    don't learn of this fork.
    """
    pid = _syscall(_SYS_CLONE, _NAMESPACES | _SIGCHLD, 0, 0, 0, 0)
    if pid < 0:
        raise _failed("clone")
    return pid


def mount(source, target, kind, flags, data=None):
    if _mount(source, target, kind, flags, data) != 0:
        raise _failed("mount %s" % target.decode())


def signalfd(number):
    """A descriptor that is readable when that signal, which must be blocked, has come. Doesn't block."""
    mask = ctypes.create_string_buffer(128)  # sigset_t; signal n is bit n - 1
    mask[(number - 1) // 8] = 1 << ((number - 1) % 8)
    descriptor = _libc.signalfd(-1, mask, os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise _failed("signalfd")
    return descriptor


def call(number, *arguments):
    """A system call by its number, with four arguments."""
    if _syscall(number, *arguments, 0) < 0:
        raise _failed("system call %d" % number)


def executable(code):
    """The address of a copy of these instructions that can be run and not be written; it stays for the life of the process."""
    _libc.mmap.restype = ctypes.c_void_p
    _libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
    _libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    size = mmap.PAGESIZE
    address = _libc.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise _failed("mmap")
    ctypes.memmove(address, code, len(code))
    if _libc.mprotect(address, size, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        raise _failed("mprotect")
    return address


def tid_address(option):
    """prctl(PR_GET_TID_ADDRESS): where the C library keeps the thread's id."""
    address = ctypes.c_void_p()
    if _prctl(option, ctypes.addressof(address), 0, 0, 0) != 0 or not address.value:
        raise _failed("prctl(PR_GET_TID_ADDRESS)")
    return address.value


def robust_list(number):
    """get_robust_list(2) of this thread: (address, bytes)."""
    head, size = ctypes.c_void_p(), ctypes.c_size_t()
    call(number, 0, ctypes.addressof(head), ctypes.addressof(size), 0)
    return head.value or 0, size.value


def rseq_address(thread_pointer):
    """Where the C library has registered restartable sequences (rseq(2)); 0 when it hasn't."""
    try:
        if not ctypes.c_uint.in_dll(_libc, "__rseq_size").value:
            return 0
        return thread_pointer + ctypes.c_ssize_t.in_dll(_libc, "__rseq_offset").value
    except ValueError:
        return 0


class Privileges:
    """Gives up what a namespace's first process has, for good. Built before the fork, so that nothing is allocated after it."""

    def __init__(self, seccomp):
        with open("/proc/sys/kernel/cap_last_cap") as file:
            self._capabilities = range(int(file.read()) + 1)
        # struct __user_cap_header_struct { u32 version; int pid; }, version 3, with two of struct __user_cap_data_struct.
        self._header = ctypes.create_string_buffer(pack("=Ii", 0x20080522, 0), 8)
        self._none = ctypes.create_string_buffer(24)
        self._filter = ctypes.create_string_buffer(seccomp, len(seccomp))
        # struct sock_fprog { u16 len; struct sock_filter *filter; }
        self._program = ctypes.create_string_buffer(pack("@HP", len(seccomp) // 8, ctypes.addressof(self._filter)))
        self._address = ctypes.addressof(self._program)

    def drop(self, death_signal):
        for capability in self._capabilities:
            if _prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise _failed("prctl(PR_CAPBSET_DROP)")
        # The ambient set can't hold what the permitted set doesn't.
        if _libc.capset(self._header, self._none) != 0:
            raise _failed("capset")
        if _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise _failed("prctl(PR_SET_NO_NEW_PRIVS)")
        # After capset, which clears it.
        if _prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
            raise _failed("prctl(PR_SET_PDEATHSIG)")
        if _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, self._address, 0, 0) != 0:
            raise _failed("prctl(PR_SET_SECCOMP)")


def forget_initial_environment():
    """Wipes the block in which the launcher's variables came: /proc/1/environ of sandboxes would show it. os.environ stays as it is."""
    variables = dict(os.environb)
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[47]), int(fields[48])  # env_start and env_end, fields 50 and 51 of proc(5)
    _libc.clearenv()
    if end > start > 0:
        ctypes.memset(start, 0, end - start)
    for name, value in variables.items():
        os.environb[name] = value
