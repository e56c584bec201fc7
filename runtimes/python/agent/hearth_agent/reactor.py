"""A small event loop: descriptors by poll(2), timers, and nothing else. One thread."""

from heapq import heappop, heappush
from itertools import count
from select import POLLIN, poll
from time import monotonic


class Timer:
    __slots__ = ("callback",)

    def __init__(self, callback):
        self.callback = callback

    def cancel(self):
        self.callback = None


class Reactor:
    def __init__(self):
        self._poll = poll()
        self._callbacks = {}
        self._timers = []
        self._order = count()

    def watch(self, descriptor, callback, events=POLLIN):
        """`callback(events)` whenever one of them is there; in place of what was watched for before."""
        self._callbacks[descriptor] = callback
        self._poll.register(descriptor, events)

    def unwatch(self, descriptor):
        if self._callbacks.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def after(self, seconds, callback):
        timer = Timer(callback)
        heappush(self._timers, (monotonic() + seconds, next(self._order), timer))
        return timer

    def turn(self):
        """Waits for something to happen, and has it done."""
        timers = self._timers
        while timers and timers[0][2].callback is None:
            heappop(timers)
        wait = None if not timers else max(0.0, timers[0][0] - monotonic()) * 1000
        for descriptor, events in self._poll.poll(wait):
            # One of those before it may have closed it.
            callback = self._callbacks.get(descriptor)
            if callback is not None:
                callback(events)
        while timers and (timers[0][2].callback is None or timers[0][0] <= monotonic()):
            callback = heappop(timers)[2].callback
            if callback is not None:
                callback()
