"""The body of a request as it comes: fed by whoever reads the channel, taken by the function, and credited to the platform as that goes on."""

from _thread import allocate_lock, get_ident
from collections import deque

from .frames import STREAM_WINDOW

#: Consumed bytes are credited from so many on.
_PORTION = STREAM_WINDOW // 2


class Body:
    """
    Of one invocation. It grows by `feed` until `end` (it is complete) or `break_off` (nobody will hear the answer, or the invocation is over). One thread
    takes from it. `carrier`: the server.
    """

    def __init__(self, ident, carrier):
        self.ident = ident
        self.carrier = carrier
        #: That the caller has ended it.
        self.ended = False
        #: Why nothing more is to be had.
        self.error = None
        #: The WebSocket that came of it.
        self.connection = None
        #: That another answer than a WebSocket has begun.
        self.answered = False
        #: So many bytes of the WebSocket's have been given to its caller.
        self.answer_credit = 0
        self._pieces = deque()
        self._received = 0
        self._credited = 0
        self._consumed = 0
        #: Of those that wait: locks, held, that are let go whenever something has changed; an asynchronous handler's futures.
        self._waiters = []

    @classmethod
    def whole(cls, ident, carrier, data):
        """One that has come already, and is credited to nobody."""
        body = cls(ident, carrier)
        body.ended = True
        if data:
            body._pieces.append(data)
        return body

    # --- the channel's side, one thread at a time

    def feed(self, data):
        """False when more came than the window has room for."""
        self._received += len(data)
        if data:
            self._pieces.append(data)
            self._changed()
        return self._received - self._credited <= STREAM_WINDOW

    def end(self):
        self.ended = True
        self._changed()

    def break_off(self, error):
        if self.error is None:
            self.error = error
            self._changed()

    def credit_answer(self, size):
        self.answer_credit += size
        self._changed()

    def _changed(self):
        for signal in tuple(self._waiters):
            try:
                signal.release()
            except RuntimeError:
                pass  # it was let go already

    # --- the function's side

    def ready(self):
        """Whether a look at it is worth while."""
        return bool(self._pieces) or self.ended or self.error is not None

    def take(self, most=None):
        """The next piece, of at most so many bytes; None when there is none yet, or none any more."""
        try:
            piece = self._pieces.popleft()
        except IndexError:
            return None
        if most is not None and len(piece) > most:
            view = memoryview(piece)
            self._pieces.appendleft(view[most:])
            piece = view[:most]
        self._consume(len(piece))
        return piece if type(piece) is bytes else bytes(piece)

    def _consume(self, size):
        self._consumed += size
        if self._consumed >= _PORTION and not self.ended and self.error is None:
            size, self._consumed = self._consumed, 0
            self._credited += size
            self.carrier.credit(self.ident, size)

    def is_over(self):
        """Whether it is complete and taken. Raises what broke it off."""
        if self.error is not None:
            raise type(self.error)(*self.error.args)
        return self.ended and not self._pieces

    def wait(self, ready=None, seconds=None):
        """Until `ready()`, or so long."""
        signal = allocate_lock()
        signal.acquire()
        self._waiters.append(signal)
        try:
            self.carrier.wait(ready or self.ready, signal, seconds)
        finally:
            self._waiters.remove(signal)

    def look(self):
        """Lets in what has come by now."""
        self.carrier.look()


class AsyncBody(Body):
    """Of an asynchronous handler: what waits is a task of the server's loop."""

    def _changed(self):
        if get_ident() == self.carrier.reader:
            self._wake()
        else:
            # The tunnel's thread has read it.
            self.carrier.loop.call_soon_threadsafe(self._wake)

    def _wake(self):
        if self.connection is not None:
            self.connection.pump()
        for future in self._waiters:
            if not future.done():
                future.set_result(None)

    async def wait(self, ready=None, seconds=None):
        """Until `ready()` or something else has changed, or so long."""
        loop = self.carrier.loop
        future = loop.create_future()
        self._waiters.append(future)
        timer = None if seconds is None else loop.call_later(seconds, self._wake)
        try:
            if not (ready or self.ready)():
                await future
        finally:
            self._waiters.remove(future)
            if timer is not None:
                timer.cancel()


class Stream:
    """`message["stream"]` of a plain handler: an iterator over pieces as they come, and something to read from."""

    def __init__(self, body):
        self._body = body

    def __iter__(self):
        return self

    def __next__(self):
        piece = self._next()
        if piece is None:
            raise StopIteration
        return piece

    def _next(self, most=None):
        body = self._body
        while not body.is_over():
            piece = body.take(most)
            if piece is not None:
                return piece
            body.wait()
        return None

    def read(self, n=-1):
        """So many bytes, fewer only where the body ends; all that is left with -1 or None."""
        left = None if n is None or n < 0 else n
        pieces = []
        while left != 0:
            piece = self._next(left)
            if piece is None:
                break
            pieces.append(piece)
            if left is not None:
                left -= len(piece)
        return b"".join(pieces)


class AsyncStream:
    """`message["stream"]` of an asynchronous handler."""

    def __init__(self, body):
        self._body = body

    def __aiter__(self):
        return self

    async def __anext__(self):
        piece = await self._next()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def _next(self, most=None):
        body = self._body
        while not body.is_over():
            piece = body.take(most)
            if piece is not None:
                return piece
            await body.wait()
        return None

    async def read(self, n=-1):
        """So many bytes, fewer only where the body ends; all that is left with -1 or None."""
        left = None if n is None or n < 0 else n
        pieces = []
        while left != 0:
            piece = await self._next(left)
            if piece is None:
                break
            pieces.append(piece)
            if left is not None:
                left -= len(piece)
        return b"".join(pieces)
