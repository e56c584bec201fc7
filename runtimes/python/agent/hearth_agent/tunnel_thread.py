"""The tunnel beside a handler: a thread that sleeps until something connects to the address of a service."""

import os
from collections import deque
from select import POLLIN, poll

from . import errors, frames
from .channel import ChannelClosed
from .streams import Tunnel


class TunnelThread:
    """
    While connections are open it reads the channel too whenever nobody else does, for the main thread may be inside the
    function, which waits for the very answer that this reads.
    """

    def __init__(self, channel, listeners):
        self._channel = channel
        self._poll = poll()
        self._callbacks = {}
        self._inbox = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._tunnel = Tunnel(listeners, self._watch, self._unwatch, channel.send)
        self._watches_channel = False
        #: Called when frames that aren't the tunnel's were read on the way.
        self.on_frames = lambda: None

    def start(self):
        # Not threading.Thread: it is nobody's to see or to wait for.
        from _thread import start_new_thread

        self._watch(self._wake_read, self._woken, POLLIN)
        self._channel.on_stream = self._deliver
        start_new_thread(self._run, ())

    def forget(self):
        """In a forked process, which has no such thread: closes its copies of the descriptors."""
        self._tunnel.forget()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _deliver(self, frame):
        """A stream's frame, from whichever thread read it."""
        self._inbox.append(frame)
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            pass  # it has enough reasons to wake up

    def _run(self):
        try:
            while True:
                for descriptor, events in self._poll.poll():
                    callback = self._callbacks.get(descriptor)
                    if callback is not None:
                        callback(events)
                self._watch_channel(self._tunnel.open)
        except ChannelClosed:
            os._exit(0)
        except frames.ProtocolError as error:
            errors.fatal("protocol error: %s" % error)
        except BaseException as error:
            errors.fatal("the tunnel broke: %r" % error)

    def _watch(self, descriptor, callback, events):
        self._callbacks[descriptor] = callback
        self._poll.register(descriptor, events)

    def _unwatch(self, descriptor):
        if self._callbacks.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def _watch_channel(self, wanted):
        if wanted == self._watches_channel:
            return
        self._watches_channel = wanted
        if wanted:
            self._watch(self._channel.sock.fileno(), self._channel_readable, POLLIN)
        else:
            self._unwatch(self._channel.sock.fileno())

    def _woken(self, _events):
        os.read(self._wake_read, 4096)
        self._dispatch()

    def _channel_readable(self, _events):
        channel = self._channel
        if not channel.reading.acquire(False):
            return
        try:
            if not channel.receive_now():
                return
            others = bool(channel.received)
        finally:
            channel.reading.release()
        self._dispatch()
        if others:
            self.on_frames()

    def _dispatch(self):
        inbox = self._inbox
        while inbox:
            self._tunnel.take(*inbox.popleft())
