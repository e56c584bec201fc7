"""
The frames of WebSockets (RFC 6455): bytes in, events out, and nothing else. No extensions. What a peer sends is checked as it comes, and never held beyond
the bound on messages.
"""

from base64 import b64encode
from codecs import getincrementaldecoder
from hashlib import sha1
from struct import Struct

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA
#: Not of the wire: the event that the peer broke the rules, after which nothing more is read.
FAILED = -1

#: A message longer than this is refused unless the function says otherwise. Bytes.
MAX_MESSAGE_BYTES = 1024 * 1024
#: Of the payload of a control frame.
MAX_CONTROL_BYTES = 125

#: Codes of a close that are never sent: no code was given, and the connection broke.
NO_CODE = 1005
ABNORMAL = 1006

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))
_U16 = Struct(">H")
_U64 = Struct(">Q")
_Utf8 = getincrementaldecoder("utf-8")


class WebSocketClosed(Exception):
    """The connection is over: `code` and `reason` are those of the peer's close, 1006 where it broke, or why the runtime closed it (1002, 1007, 1009)."""

    def __init__(self, code, reason=""):
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self):
        return "the WebSocket is closed: %d%s" % (self.code, " (%s)" % self.reason if self.reason else "")


# As functions see it.
WebSocketClosed.__module__ = "hearth"


class _Violation(Exception):
    def __init__(self, code, reason):
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def accept_key(key):
    """Sec-WebSocket-Accept for that Sec-WebSocket-Key."""
    return b64encode(sha1(key.strip().encode() + _GUID, usedforsecurity=False).digest()).decode()


def is_code(code):
    """Whether a close may carry it."""
    return code in _CODES or 3000 <= code <= 4999


def encode(opcode, payload, mask=None):
    """One whole message or control frame; a client's are masked."""
    size = len(payload)
    masked = 0 if mask is None else 0x80
    if size < 126:
        head = bytes((0x80 | opcode, masked | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, masked | 126)) + _U16.pack(size)
    else:
        head = bytes((0x80 | opcode, masked | 127)) + _U64.pack(size)
    return head + payload if mask is None else head + mask + unmask(payload, mask)


def encode_ping(data):
    """Raises ValueError where it is longer than 125 bytes."""
    data = data.encode() if isinstance(data, str) else bytes(data)
    if len(data) > MAX_CONTROL_BYTES:
        raise ValueError("a ping has at most %d bytes" % MAX_CONTROL_BYTES)
    return encode(PING, data)


def encode_close(code, reason="", mask=None):
    """A close frame. Raises ValueError where the code can't be sent, or the reason is longer than 123 bytes."""
    if code == NO_CODE:
        return encode(CLOSE, b"", mask)
    if not isinstance(code, int) or not is_code(code):
        raise ValueError("a WebSocket is closed with 1000 to 1003, 1007 to 1014 or 3000 to 4999, not %r" % (code,))
    payload = _U16.pack(code) + reason.encode()
    if len(payload) > MAX_CONTROL_BYTES:
        raise ValueError("the reason of a close is at most %d bytes long" % (MAX_CONTROL_BYTES - 2))
    return encode(CLOSE, payload, mask)


def unmask(data, mask):
    """Masks as well."""
    size = len(data)
    key = (mask * ((size + 3) >> 2))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


class Decoder:
    """
    Cuts a byte stream into events: (TEXT, str), (BINARY, bytes), (PING, bytes), (PONG, bytes), (CLOSE, (code, reason)), (FAILED, (code, reason)). The latter
    two are the last: what comes after them is dropped.
    """

    def __init__(self, max_message_bytes=MAX_MESSAGE_BYTES, masked=True):
        self._limit = max_message_bytes
        #: A client's frames are, a server's are not.
        self._mask_bit = 0x80 if masked else 0
        #: What has come of a frame's head.
        self._rest = b""
        #: Of the frame whose payload is coming.
        self._opcode = None
        self._last = False
        self._mask = None
        self._missing = 0
        self._control = b""
        #: Of the message whose frames are coming.
        self._kind = None
        self._message = bytearray()
        self._utf8 = None
        self._over = False

    def feed(self, data):
        """The events of `data`. Never raises for what the peer sent."""
        events = []
        if self._over:
            return events
        try:
            self._feed(self._rest + data if self._rest else data, events)
        except _Violation as violation:
            self._over = True
            events.append((FAILED, (violation.code, violation.reason)))
        if self._over:
            self._rest = b""
            self._message = bytearray()
        return events

    def _feed(self, data, events):
        self._rest = b""
        offset = 0
        size = len(data)
        while not self._over:
            if self._opcode is None:
                end = self._head(data, offset, size)
                if end is None:
                    self._rest = bytes(data[offset:])
                    return
                offset = end
            if self._missing and offset == size:
                return
            piece = data[offset : offset + self._missing]
            offset += len(piece)
            self._missing -= len(piece)
            if self._mask is not None and piece:
                mask = self._mask
                if self._missing:
                    turn = len(piece) & 3
                    self._mask = mask[turn:] + mask[:turn]
                piece = unmask(piece, mask)
            if self._opcode >= CLOSE:
                self._take_control(piece, events)
            else:
                self._take_data(piece, events)

    def _head(self, data, offset, size):
        """Where the payload begins; None while the head is incomplete."""
        if size - offset < 2:
            return None
        first = data[offset]
        second = data[offset + 1]
        opcode = first & 0x0F
        length = second & 0x7F
        if first & 0x70:
            raise _Violation(1002, "reserved bits are set")
        if opcode not in _OPCODES:
            raise _Violation(1002, "unknown opcode %d" % opcode)
        if second & 0x80 != self._mask_bit:
            raise _Violation(1002, "a frame is not masked" if self._mask_bit else "a frame is masked")
        if opcode >= CLOSE:
            if length > MAX_CONTROL_BYTES:
                raise _Violation(1002, "a control frame is too long")
            if not first & 0x80:
                raise _Violation(1002, "a control frame is fragmented")
        elif (opcode == CONTINUATION) == (self._kind is None):
            raise _Violation(1002, "a continuation of no message" if opcode == CONTINUATION else "a message inside another")
        offset += 2
        if length > 125:
            field, least = (_U16, 126) if length == 126 else (_U64, 65536)
            if size - offset < field.size:
                return None
            (length,) = field.unpack_from(data, offset)
            offset += field.size
            if length < least or length >> 63:
                raise _Violation(1002, "a length is not written as it must be")
        if opcode < CLOSE and len(self._message) + length > self._limit:
            raise _Violation(1009, "a message is longer than %d bytes" % self._limit)
        if self._mask_bit:
            if size - offset < 4:
                return None
            self._mask = bytes(data[offset : offset + 4])
            offset += 4
        self._opcode = opcode
        self._last = bool(first & 0x80)
        self._missing = length
        return offset

    def _take_control(self, piece, events):
        self._control += piece
        if self._missing:
            return
        payload, self._control = self._control, b""
        opcode, self._opcode = self._opcode, None
        if opcode == CLOSE:
            close = _parse_close(payload)
            self._over = True
            events.append((CLOSE, close))
        else:
            events.append((opcode, payload))

    def _take_data(self, piece, events):
        if self._kind is None:
            kind = self._opcode
            if self._last and not self._missing:
                # Most messages: one frame, which is there.
                self._opcode = None
                events.append((kind, _text(piece) if kind == TEXT else bytes(piece)))
                return
            self._kind = kind
            self._utf8 = _Utf8() if kind == TEXT else None
        if self._utf8 is not None:
            try:
                self._utf8.decode(piece, self._last and not self._missing)
            except UnicodeDecodeError:
                raise _Violation(1007, "a text is no UTF-8") from None
        self._message += piece
        if self._missing:
            return
        self._opcode = None
        if self._last:
            message, self._message = self._message, bytearray()
            kind, self._kind = self._kind, None
            events.append((kind, message.decode() if kind == TEXT else bytes(message)))


def _text(data):
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _Violation(1007, "a text is no UTF-8") from None


def _parse_close(payload):
    if not payload:
        return NO_CODE, ""
    if len(payload) == 1:
        raise _Violation(1002, "a close has half a code")
    (code,) = _U16.unpack_from(payload)
    if not is_code(code):
        raise _Violation(1002, "a close has the code %d" % code)
    return code, _text(payload[2:])
