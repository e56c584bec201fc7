"""
The control channel between a zygote and the platform, src/sandbox/nursery/control.ts on the other side: messages of u32 payload length
(big-endian), u8 kind, 16 bytes token (zeros where none is meant), payload.
"""

from struct import Struct

#: JSON: entry, layers, exclude, seccomp (base64). First, and once.
START = 0x01
#: u64 bytes of /tmp, then rtnetlink messages for its network namespace.
FORK = 0x02
KILL = 0x03

#: The zygote runs and holds the door open by its own mount.
BOOTED = 0x81
#: JSON: imported, excluded, sharesMemory.
READY = 0x82
#: u32 process id as the zygote sees it, u64 inode of the network namespace.
FORKED = 0x83
#: u32 wait status.
EXITED = 0x84
#: JSON: reason, exclude. The zygote ends.
UNUSABLE = 0x85
#: The kernel refused; text.
REFUSED = 0x86

NO_TOKEN = bytes(16)
_HEADER = Struct(">IB16s")
_MAX_PAYLOAD = 1024 * 1024

fork_head = Struct(">Q")
forked = Struct(">IQ")
number = Struct(">I")


def encode(kind, token=NO_TOKEN, payload=b""):
    return _HEADER.pack(len(payload), kind, token) + payload


class Decoder:
    __slots__ = ("_bytes",)

    def __init__(self):
        self._bytes = b""

    def feed(self, data):
        """The messages [(kind, token, payload)] that are complete with `data`."""
        data = self._bytes + data if self._bytes else data
        found = []
        offset = 0
        while len(data) - offset >= _HEADER.size:
            length, kind, token = _HEADER.unpack_from(data, offset)
            if length > _MAX_PAYLOAD:
                raise ValueError("control message of %d bytes" % length)
            end = offset + _HEADER.size + length
            if end > len(data):
                break
            found.append((kind, token, data[offset + _HEADER.size : end]))
            offset = end
        self._bytes = data[offset:]
        return found
