"""Frames between the platform and this runtime: u32 length, u8 type, u32 id, payload; big-endian. See docs/protocol.md."""

from struct import Struct

MAX_PAYLOAD = 1024 * 1024
#: What a sender may have on the way on one connection to a service, of one request's body or of one WebSocket, before it is credited for it.
STREAM_WINDOW = 256 * 1024

LOAD = 0x01
LOAD_CODE = 0x02
INVOKE = 0x03
INVOKE_BODY = 0x04
CANCEL = 0x05
SHUTDOWN = 0x06
STREAM_DATA_IN = 0x07
STREAM_CLOSE_IN = 0x08
CALL_REPLY = 0x09
CALL_REPLY_BODY = 0x0A
CALL_FAILED = 0x0B
STREAM_END_IN = 0x0C
STREAM_CREDIT_IN = 0x0D
LOAD_BUNDLE = 0x0E
INVOKE_END = 0x0F
REPLY_CREDIT = 0x10

HELLO = 0x81
READY = 0x82
LOAD_FAILED = 0x83
LOG_OUT = 0x84
LOG_ERR = 0x85
REPLY_HEAD = 0x86
REPLY_BODY = 0x87
REPLY_END = 0x88
FAILED = 0x89
EXITED = 0x8A
STREAM_OPEN = 0x8B
STREAM_DATA = 0x8C
STREAM_CLOSE = 0x8D
CALL = 0x8E
CALL_BODY = 0x8F
STREAM_END = 0x90
STREAM_CREDIT = 0x91
INVOKE_CREDIT = 0x92

HEADER = Struct(">IBI")
pack_header = HEADER.pack
_unpack_header = HEADER.unpack_from


class ProtocolError(Exception):
    """The platform sent what it may not send; the runtime can't go on."""


def encode(kind, ident, payload=b""):
    """One frame as bytes."""
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolError("frame payload of %d bytes is above %d" % (len(payload), MAX_PAYLOAD))
    return pack_header(len(payload), kind, ident) + payload


def encode_body(kind, ident, body):
    """A raw body as as many frames as it takes; none for an empty body."""
    view = memoryview(body)
    for offset in range(0, len(view), MAX_PAYLOAD):
        yield encode(kind, ident, bytes(view[offset : offset + MAX_PAYLOAD]))


class Decoder:
    """Cuts a byte stream into (type, id, payload). Holds at most one incomplete frame besides what it was just given."""

    __slots__ = ("_pending", "_bytes", "_needed")

    def __init__(self):
        self._pending = []
        self._bytes = 0
        self._needed = 9

    def feed(self, data):
        """The frames that are complete with `data`. Raises ProtocolError when one announces too much."""
        if self._bytes:
            self._pending.append(data)
            self._bytes += len(data)
            if self._bytes < self._needed:
                return []
            data = b"".join(self._pending)
            self._pending.clear()
            self._bytes = 0
        frames = []
        offset = 0
        size = len(data)
        while size - offset >= 9:
            length, kind, ident = _unpack_header(data, offset)
            if length > MAX_PAYLOAD:
                raise ProtocolError("frame announces %d bytes, above %d" % (length, MAX_PAYLOAD))
            end = offset + 9 + length
            if end > size:
                break
            frames.append((kind, ident, data[offset + 9 : end]))
            offset = end
        rest = size - offset
        if rest:
            self._pending.append(data[offset:] if offset else data)
            self._bytes = rest
            self._needed = 9 + _unpack_header(data, offset)[0] if rest >= 9 else 9
        return frames
