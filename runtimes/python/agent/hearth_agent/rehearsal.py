"""
Conversations held in advance by libraries that scripts answer with. The first one that an interpreter holds costs several times what later ones do: code
specialises itself (PEP 659), codecs and name services are loaded, pools of memory grow. What comes of it is shared by all processes forked from here.
"""

import os
import signal
import struct
import sys
from _socket import AF_INET, SOCK_STREAM, socket

#: Specialisation is over after a few.
TIMES = 8
#: A conversation that hangs is given up; it takes a millisecond.
PATIENCE_SECONDS = 2


def known(module):
    return module in _CONVERSATIONS


def hold(module):
    """The conversations of a library that is imported already. Raises what the library raises, or OSError when there is nobody to talk to."""
    with _Peer() as port:
        for _ in range(TIMES):
            _CONVERSATIONS[module](sys.modules[module], port)


def _pika(pika, port):
    connection = pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", port, connection_attempts=1, socket_timeout=PATIENCE_SECONDS, stack_timeout=PATIENCE_SECONDS)
    )
    channel = connection.channel()
    channel.queue_declare(queue="rehearsal")
    channel.basic_publish(exchange="", routing_key="rehearsal", body="{}")
    connection.close()


_CONVERSATIONS = {"pika": _pika}


class _Peer:
    """A process that answers on a loopback port as the platform's reply endpoint does, while it is entered."""

    def __enter__(self):
        with _Listener() as listener:
            port = listener.getsockname()[1]
            self._pid = os.fork()
            if self._pid == 0:
                try:
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
                    signal.signal(signal.SIGALRM, signal.SIG_DFL)
                    signal.alarm(PATIENCE_SECONDS)
                    while True:
                        _converse(listener._accept()[0])
                finally:
                    os._exit(0)
        return port

    def __exit__(self, *_):
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


class _Listener(socket):
    def __init__(self):
        super().__init__(AF_INET, SOCK_STREAM)
        self.bind(("127.0.0.1", 0))
        self.listen(8)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _converse(descriptor):
    """AMQP 0-9-1, the server's side, without a look at what is said. Frames are of section 4.2.3, methods of the XML specification."""
    stream = os.fdopen(descriptor, "r+b", 0)
    _read(stream, 8)
    _say(stream, 0, 10, 10, b"\0\x09" + struct.pack(">I", 0) + _long(b"PLAIN") + _long(b"en_US"))
    while True:
        kind, channel, size = struct.unpack(">BHI", _read(stream, 7))
        payload = _read(stream, size + 1)
        if kind != 1:
            continue
        method = struct.unpack_from(">HH", payload)
        answer = _ANSWERS.get(method)
        if answer is not None:
            _say(stream, channel, *answer)
        if method == (10, 50):
            stream.close()
            return


def _long(data):
    return struct.pack(">I", len(data)) + data


#: Of a method: that which answers it, with its arguments.
_ANSWERS = {
    (10, 11): (10, 30, struct.pack(">HIH", 2047, 131072, 60)),
    (10, 40): (10, 41, b"\0"),
    (10, 50): (10, 51, b""),
    (20, 10): (20, 11, _long(b"")),
    (20, 40): (20, 41, b""),
    (50, 10): (50, 11, b"\x09rehearsal" + struct.pack(">II", 0, 0)),
}


def _say(stream, channel, class_, method, arguments):
    payload = struct.pack(">HH", class_, method) + arguments
    stream.write(struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce")


def _read(stream, size):
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data
