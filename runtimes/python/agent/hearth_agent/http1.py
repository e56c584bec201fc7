"""HTTP/1.1 messages out of a byte stream (RFC 9112), for both ends of a connection inside the sandbox."""

MAX_HEAD = 256 * 1024
#: A line of a chunked body: its size and extensions.
MAX_LINE = 8192
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class HttpError(Exception):
    """What came is no HTTP message that can be understood."""


class Head:
    """`start`: the three parts of the first line. `headers`: (name, value) in order, as they came."""

    __slots__ = ("start", "headers", "index")

    def __init__(self, start, headers):
        self.start = start
        self.headers = headers
        #: Lower-case name → value; of repeated ones joined by commas.
        self.index = {}
        for name, value in headers:
            name = name.lower()
            self.index[name] = value if name not in self.index else self.index[name] + ", " + value

    def has_token(self, name, token):
        return token in [part.strip().lower() for part in self.index.get(name, "").split(",")]

    @property
    def keeps_alive(self):
        """Whether the connection may be used for another message (RFC 9112 section 9.3)."""
        if self.has_token("connection", "close"):
            return False
        version = self.start[0] if self.start[0].startswith("HTTP/") else self.start[2]
        return version == "HTTP/1.1" or self.has_token("connection", "keep-alive")


def _parse_headers(lines):
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        # A line that begins with a space (obs-fold) has no name.
        if not colon or not name or not _TOKEN.issuperset(name):
            raise HttpError("a header line is malformed: %r" % line[:80])
        headers.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
    return headers


class Reader:
    """
    Feed it bytes; it tells ("head", Head), ("body", bytes), ("end", trailers). A message that ends with its connection ends by `eof`.
    After "end" it takes nothing until `next`; what came behind is kept.
    """

    def __init__(self, is_response):
        self._is_response = is_response
        self._buffer = bytearray()
        self._state = self._head
        #: Set before an answer to HEAD comes: it has no body whatever its head says.
        self.bodiless = False
        #: Set before the answer to a handshake comes: after a 101 all that comes is its body, whatever it is.
        self.may_upgrade = False
        self._left = 0
        self._scanned = 0

    @property
    def idle(self):
        """Nothing of the next message is there."""
        return not self._buffer and self._state == self._head

    def feed(self, data):
        self._buffer += data
        return self._run()

    def next(self):
        """The next message on the connection."""
        self._state = self._head
        return self._run()

    def eof(self):
        """The other end closed. Raises HttpError in the middle of a message."""
        if self._state == self._until_close:
            self._state = self._done
            return [("end", [])]
        if self._state == self._done or self.idle:
            return []
        raise HttpError("the connection was closed in the middle of a message")

    def _run(self):
        events = []
        while self._state(events):
            pass
        return events

    def _line(self, limit):
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > limit:
                raise HttpError("a line is longer than %d bytes" % limit)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line[:-1] if line.endswith(b"\r") else line

    def _take_head(self):
        """Lines up to an empty one; None when it has not come."""
        buffer = self._buffer
        while True:
            end = buffer.find(b"\n", self._scanned)
            if end < 0:
                self._scanned = max(0, len(buffer) - 2)
                if len(buffer) > MAX_HEAD:
                    raise HttpError("the head is larger than %d bytes" % MAX_HEAD)
                return None
            rest = bytes(buffer[end + 1 : end + 3])
            if rest.startswith(b"\n") or rest == b"\r\n":
                head = bytes(buffer[:end])
                del buffer[: end + 1 + (1 if rest.startswith(b"\n") else 2)]
                self._scanned = 0
                return head.replace(b"\r\n", b"\n").rstrip(b"\r").split(b"\n")
            if len(rest) < 2:
                self._scanned = end
                return None
            self._scanned = end + 1

    def _head(self, events):
        while self._buffer[:2] == b"\r\n":
            del self._buffer[:2]  # RFC 9112 section 2.2: empty lines before a message
        lines = self._take_head() if self._buffer else None
        if lines is None:
            return False
        start = lines[0].decode("latin-1").split(" ", 2)
        if self._is_response:
            start = start if len(start) == 3 else [*start, ""]
            if len(start) != 3 or not start[0].startswith("HTTP/1.") or not (len(start[1]) == 3 and start[1].isdigit()):
                raise HttpError("the status line is malformed: %r" % lines[0][:80])
        elif len(start) != 3 or not start[2].startswith("HTTP/1."):
            raise HttpError("the request line is malformed: %r" % lines[0][:80])
        head = Head(start, _parse_headers(lines[1:]))
        if self._is_response and start[1].startswith("1"):
            if start[1] != "101":
                return True  # an interim answer
            if not self.may_upgrade:
                raise HttpError("the protocol was switched, which nobody had asked for")
            events.append(("head", head))
            self._state = self._until_close
            return True
        events.append(("head", head))
        self._begin_body(head)
        return True

    def _begin_body(self, head):
        index = head.index
        status = head.start[1]
        if self._is_response and (self.bodiless or status in ("204", "304")):
            self._state = self._no_body
        elif "transfer-encoding" in index:
            if not head.has_token("transfer-encoding", "chunked"):
                raise HttpError("the transfer coding %r is not understood" % index["transfer-encoding"][:80])
            self._state = self._chunk_size
        elif "content-length" in index:
            lengths = {part.strip() for part in index["content-length"].split(",")}
            length = lengths.pop()
            if lengths or not length.isascii() or not length.isdigit():
                raise HttpError("Content-Length is %r" % index["content-length"][:80])
            self._left = int(length)
            self._state = self._length
        else:
            self._state = self._until_close if self._is_response else self._no_body

    def _no_body(self, events):
        return self._end(events, [])

    def _end(self, events, trailers):
        events.append(("end", trailers))
        self._state = self._done
        return False

    def _done(self, _events):
        return False

    def _length(self, events):
        piece = bytes(self._buffer[: self._left])
        if piece:
            del self._buffer[: len(piece)]
            self._left -= len(piece)
            events.append(("body", piece))
        return self._end(events, []) if self._left == 0 else False

    def _until_close(self, events):
        if self._buffer:
            events.append(("body", bytes(self._buffer)))
            self._buffer.clear()
        return False

    def _chunk_size(self, events):
        line = self._line(MAX_LINE)
        if line is None:
            return False
        text = line.partition(b";")[0].strip(b" \t")
        if not text or len(text) > 15 or not all(character in b"0123456789abcdefABCDEF" for character in text):
            raise HttpError("the size of a chunk is malformed: %r" % line[:80])
        self._left = int(text, 16)
        self._state = self._chunk if self._left else self._trailers
        return True

    def _chunk(self, events):
        piece = bytes(self._buffer[: self._left])
        if not piece:
            return False
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        events.append(("body", piece))
        if self._left:
            return False
        self._state = self._chunk_end
        return True

    def _chunk_end(self, _events):
        line = self._line(2)
        if line is None:
            return False
        if line:
            raise HttpError("a chunk is longer than its size")
        self._state = self._chunk_size
        return True

    def _trailers(self, events):
        if self._buffer[:1] == b"\n" or self._buffer[:2] == b"\r\n":
            self._line(2)
            return self._end(events, [])
        if len(self._buffer) < 2:
            return False
        lines = self._take_head()
        if lines is None:
            return False
        return self._end(events, _parse_headers(lines))
