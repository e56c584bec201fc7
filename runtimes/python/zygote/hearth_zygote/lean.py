"""
Memory that costs a fork nothing. A fork copies an entry for each page that a process has written (65 ns here, and as much again at the
child's end): with libraries in memory that was most of what a sandbox took. So once all is imported, the zygote's heap is moved into a
file without a name and mapped from there, privately and at the same place: to the kernel these are pages of a file, which it need not
copy, since whoever reads one finds it there, and whoever writes to one gets a copy of his own.
"""

import ctypes
import fcntl
import os

from . import kernel

# long f(int fd, void *address, size_t bytes, off_t offset): pwrite, then mmap over what was written, with nothing in between that could
# change it; a negative number when either fails, and then nothing has changed.
_X86_64 = bytes.fromhex(
    "4989f8 4989c9 4989ca"  # mov r8, rdi; mov r9, rcx; mov r10, rcx
    "b812000000 0f05"  # mov eax, 18 (pwrite64); syscall
    "4839d0 7519"  # cmp rax, rdx; jne failed
    "4889f7 4889d6"  # mov rdi, rsi; mov rsi, rdx
    "ba03000000"  # mov edx, PROT_READ | PROT_WRITE
    "41ba12000000"  # mov r10d, MAP_PRIVATE | MAP_FIXED
    "b809000000 0f05 c3"  # mov eax, 9 (mmap); syscall; ret
    "48c7c0ffffffff c3"  # failed: mov rax, -1; ret
)
#: Smaller mappings aren't worth one more.
_LEAST_BYTES = 128 * 1024
_F_ADD_SEALS = 1033
#: F_SEAL_SEAL, SHRINK, GROW, and WRITE: nobody has the file but these mappings, and even then.
_SEALS = 0x1 | 0x2 | 0x4 | 0x8


def settle():
    """For a process of one thread with all signals blocked. Where it can't be done, nothing changes."""
    if os.uname().machine != "x86_64":
        return
    try:
        move = ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long)(kernel.executable(_X86_64))
        file = os.memfd_create("hearth-zygote", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return
    offset = 0
    for start, size in _heap():
        if move(file, start, size, offset) != start:
            break
        offset += size
    try:
        fcntl.fcntl(file, _F_ADD_SEALS, _SEALS)
    except OSError:
        pass
    os.close(file)


def _heap():
    """(address, bytes) of the anonymous, writable mappings, the C library's heap among them and the stack not."""
    found = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.split()
            if fields[1] == "rw-p" and fields[4] == "0" and (len(fields) == 5 or fields[5] == "[heap]"):
                start, end = (int(part, 16) for part in fields[0].split("-"))
                if end - start >= _LEAST_BYTES:
                    found.append((start, end - start))
    return found
