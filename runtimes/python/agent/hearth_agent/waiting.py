"""How a function's thread waits for what comes by the channel: where nobody reads that while an invocation runs, whoever waits does."""

import os
from select import POLLIN, poll
from time import monotonic

from . import frames
from .channel import READ_BYTES, ChannelClosed
from .errors import fatal

#: How long a thread that may read is kept from looking whether it is its turn. Seconds.
_TURN = 0.01


def wait(server, ready, signal, seconds=None):
    """Until `ready()`, or so long. `signal`: a lock, held, that is released whenever `ready` may have changed."""
    end = None if seconds is None else monotonic() + seconds
    try:
        while not ready():
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                return
            if server.reader is not None:
                signal.acquire(True, -1 if left is None else left)
            elif server.channel.reading.acquire(False):
                try:
                    # Whoever had it may have read what is waited for.
                    if not ready():
                        _read(server.channel, left)
                finally:
                    server.channel.reading.release()
            else:
                signal.acquire(True, _TURN)
    except ChannelClosed:
        os._exit(0)
    except frames.ProtocolError as error:
        fatal("protocol error: %s" % error)


def look(server):
    """Takes what has come by now, where nobody else reads it."""
    channel = server.channel
    if server.reader is not None or not channel.reading.acquire(False):
        return
    try:
        channel.receive_now()
    except ChannelClosed:
        os._exit(0)
    except frames.ProtocolError as error:
        fatal("protocol error: %s" % error)
    finally:
        channel.reading.release()


def _read(channel, seconds):
    if seconds is None:
        channel.take(channel.receive_some(READ_BYTES))
        return
    waiting = poll()
    waiting.register(channel.sock.fileno(), POLLIN)
    if waiting.poll(seconds * 1000):
        channel.receive_now()
