"""
A second process over the same memory. The namespaces' first process has nothing to do but to reap and to end, so it keeps no memory of
its own: the agent is cloned from it with CLONE_VM, and what stays behind runs a few instructions that use registers only. It saves a
copy of the page tables (milliseconds, with libraries imported), and what both would write to.

The agent could overwrite these instructions. That gains it nothing: init is the agent's own, with no more rights and no descriptors.
"""

import ctypes
import os

from . import kernel

# long f(unsigned long flags, int *child_tid, int *status). The child returns 0, as does the caller when clone fails (negative). The
# parent closes descriptors 0 to 3, waits until the child has ended, and exits as bwrap's init: 128 + signal, or the exit code.
_X86_64 = bytes.fromhex(
    "4989d1 4989f2"  # mov r9, rdx; mov r10, rsi
    "31f6 31d2 4531c0"  # xor esi, esi; xor edx, edx; xor r8d, r8d
    "b838000000 0f05"  # mov eax, 56 (clone); syscall
    "4885c0 7f01 c3"  # test rax, rax; jg parent; ret
    "89c3"  # parent: mov ebx, eax
    "31ff"  # xor edi, edi
    "b803000000 0f05"  # close: mov eax, 3 (close); syscall
    "ffc7 83ff04 75f2"  # inc edi; cmp edi, 4; jne close
    "48c7c7ffffffff 4c89ce"  # wait: mov rdi, -1; mov rsi, r9
    "31d2 4531d2"  # xor edx, edx; xor r10d, r10d
    "b83d000000 0f05"  # mov eax, 61 (wait4); syscall
    "39d8 75e6"  # cmp eax, ebx; jne wait
    "418b39 89f8"  # mov edi, [r9]; mov eax, edi
    "83e07f 7408"  # and eax, 0x7f; jz exited
    "8db880000000 eb07"  # lea edi, [rax + 128]; jmp end
    "c1ef08 400fb6ff"  # exited: shr edi, 8; movzx edi, dil
    "b8e7000000 0f05"  # end: mov eax, 231 (exit_group); syscall
)
# void *f(void): mov rax, fs:0; ret
_X86_64_THREAD_POINTER = bytes.fromhex("64488b042500000000 c3")
_SYS_SET_ROBUST_LIST, _SYS_GET_ROBUST_LIST, _SYS_RSEQ = 273, 274, 334
_RSEQ_SIGNATURE = 0x53053053
_RSEQ_BYTES = 32
_RSEQ_UNREGISTER = 1

_CLONE_VM = 0x100
_CLONE_CHILD_SETTID = 0x01000000
_SIGCHLD = 17
_PR_GET_TID_ADDRESS = 40


class Split:
    """`split()` once per process. Raises OSError or NotImplementedError where it can't be had."""

    def __init__(self):
        if os.uname().machine != "x86_64" or not hasattr(ctypes.pythonapi, "PyOS_AfterFork_Child"):
            raise NotImplementedError
        with open("/proc/self/status") as file:
            if "shstk" in file.read():
                raise NotImplementedError  # a shadow stack isn't shared, and the child would return into an empty one
        code = kernel.executable(_X86_64 + _X86_64_THREAD_POINTER)
        self._clone = ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p)(code)
        self._before = ctypes.pythonapi.PyOS_BeforeFork
        self._after = ctypes.pythonapi.PyOS_AfterFork_Child
        self._before.restype = self._after.restype = None
        self._status = ctypes.c_int(0)
        self._status_address = ctypes.addressof(self._status)
        # Where the C library keeps its thread's id and list of robust mutexes: fork() would set them right in the child.
        self._tid_address = kernel.tid_address(_PR_GET_TID_ADDRESS)
        self._robust_list, self._robust_bytes = kernel.robust_list(_SYS_GET_ROBUST_LIST)
        thread_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p)(code + len(_X86_64))()
        self._rseq = kernel.rseq_address(thread_pointer)
        if self._rseq:
            # Two processes registered with one area would both write to it. The agent registers anew.
            kernel.call(_SYS_RSEQ, self._rseq, _RSEQ_BYTES, _RSEQ_UNREGISTER, _RSEQ_SIGNATURE)

    def split(self):
        """Returns in the new process; the calling one becomes init."""
        self._before()
        result = self._clone(_CLONE_VM | _CLONE_CHILD_SETTID | _SIGCHLD, self._tid_address, self._status_address)
        if result < 0:
            raise OSError(-result, "clone: %s" % os.strerror(-result))
        kernel.call(_SYS_SET_ROBUST_LIST, self._robust_list, self._robust_bytes, 0, 0)
        if self._rseq:
            kernel.call(_SYS_RSEQ, self._rseq, _RSEQ_BYTES, 0, _RSEQ_SIGNATURE)
        self._after()
