"""
A WebSocket between its handshake and its end: raw bytes on one side, messages on the other. What the peer sends is read no faster than the function takes it,
and what the function sends waits while the peer doesn't read.
"""

from _thread import allocate_lock
from collections import deque

from . import websocket
from .frames import STREAM_WINDOW
from .websocket import WebSocketClosed

#: Messages of together so many bytes are kept for the function; the rest waits where it is.
_KEPT_BYTES = 65536
#: Bytes that a kept message counts beside its own.
_KEPT_EACH = 64


class Connection:
    """
    open → closing (a close was sent) → closed (`code` is set) → over (the invocation is). Its methods do not wait: whoever has to does so until `progresses()`
    and calls `pump()` again.
    """

    def __init__(self, body, subprotocol, max_message_bytes):
        self.subprotocol = subprotocol
        #: Of its close, once that has come.
        self.code = None
        self.reason = ""
        self._body = body
        self._decoder = websocket.Decoder(max_message_bytes)
        self._pumping = allocate_lock()
        self._messages = deque()
        self._kept = 0
        self._closing = False
        #: The close that the function has sent.
        self._own_close = None
        self._over = False
        self._writing = allocate_lock()
        self._unsent = deque()
        self._unsent_bytes = 0
        self._sent_bytes = 0

    @property
    def peer_closed(self):
        """Whether it is closed and that was none of the function's doing."""
        return self.code is not None and self._own_close is None

    # --- what comes

    def pump(self):
        """Takes what has come: keeps messages, answers what the protocol answers. Sends on what the peer has made room for."""
        body = self._body
        self._flush()
        with self._pumping:
            if body.error is not None and self.code is None:
                self._close(websocket.ABNORMAL, "")
            while self._wants_more():
                # Asked before there is found to be nothing: more may come in between.
                ended = body.ended
                piece = body.take()
                if piece is not None:
                    self._take(self._decoder.feed(piece))
                elif ended:
                    self._close(websocket.ABNORMAL, "")
                else:
                    return

    def progresses(self):
        """Whether `pump` would find something to do."""
        body = self._body
        return body.error is not None or (self._wants_more() and body.ready()) or (bool(self._unsent) and self._room() > 0)

    def _wants_more(self):
        return self.code is None and (self._closing or (self._kept < _KEPT_BYTES and self._unsent_bytes < _KEPT_BYTES))

    def _take(self, events):
        answers = []
        for kind, value in events:
            if kind == websocket.CLOSE or kind == websocket.FAILED:
                if not self._closing:
                    answers.append(websocket.encode_close(*value))
                self._write(b"".join(answers))
                self._close(*value)
                return
            if self._closing:
                continue
            if kind == websocket.PING:
                answers.append(websocket.encode(websocket.PONG, value))
            elif kind != websocket.PONG:
                self._messages.append(value)
                self._kept += len(value) + _KEPT_EACH
        self._write(b"".join(answers))

    def _close(self, code, reason):
        self._closing = True
        self.reason = reason
        self.code = code

    def _next(self):
        """A message; None when there is none yet. Raises WebSocketClosed when none will come."""
        self.pump()
        with self._pumping:
            if self._messages:
                value = self._messages.popleft()
                self._kept -= len(value) + _KEPT_EACH
                return value
        self._refuse_closed()
        return None

    # --- what goes

    def _write(self, data):
        if data:
            with self._writing:
                self._unsent.append(data)
                self._unsent_bytes += len(data)
            self._flush()

    def _room(self):
        return STREAM_WINDOW - (self._sent_bytes - self._body.answer_credit)

    def _flush(self):
        if not self._unsent:
            return
        with self._writing:
            while self._unsent and not self._over:
                room = self._room()
                if room <= 0:
                    return
                data = self._unsent.popleft()
                if len(data) > room:
                    view = memoryview(data)
                    self._unsent.appendleft(view[room:])
                    data = view[:room]
                self._unsent_bytes -= len(data)
                self._sent_bytes += len(data)
                self._body.carrier.send_piece(self._body.ident, data)

    def _begin_send(self, frame):
        """Raises WebSocketClosed when there is nobody to send it to."""
        self._refuse_closed()
        self._write(frame)

    def _is_held_up(self):
        """Whether what was sent waits for the peer. Raises WebSocketClosed when it waits in vain."""
        self.pump()
        if self._unsent and (self._over or self._body.error is not None):
            self._refuse_closed()
        return bool(self._unsent)

    def _refuse_closed(self):
        if self._closing:
            raise WebSocketClosed(*(self._own_close if self.code is None else (self.code, self.reason)))

    # --- ends

    def _begin_close(self, code, reason):
        """Sends a close, if none was sent."""
        frame = websocket.encode_close(code, reason)
        if self._closing:
            return
        self._own_close = (code, reason)
        self._closing = True
        with self._pumping:
            self._messages.clear()
            self._kept = 0
        self._write(frame)

    def _awaits_close(self):
        """Whether the peer's close is missing, or the own one waits for the peer."""
        self.pump()
        return self._body.error is None and (self.code is None or bool(self._unsent))

    def _end_close(self):
        if self.code is None:
            self._close(websocket.ABNORMAL, "the peer did not answer the close")

    def end(self, code):
        """The invocation is over: nothing goes out any more."""
        self._begin_close(code, "")
        with self._writing:
            self._over = True
            self._unsent.clear()
        self._end_close()


def message_frame(data):
    if isinstance(data, str):
        return websocket.encode(websocket.TEXT, data.encode())
    if isinstance(data, (bytes, bytearray, memoryview)):
        return websocket.encode(websocket.BINARY, bytes(data))
    raise TypeError("a message is str or bytes, not %s" % type(data).__name__)
