"""Makes the reply endpoint's name resolve where /etc/hosts doesn't know it (the driver without isolation)."""

import _socket
import sys


def make_resolvable(name, host, hosts_file="/etc/hosts"):
    """True when it had to be patched into the resolver's functions."""
    if name == host or _in_hosts(name, host, hosts_file):
        return False
    _patch(name, host)
    return True


def warm_up(name, port):
    """Has the resolver load what it needs (a codec, the system's name services), so that no invocation does it anew."""
    try:
        _socket.getaddrinfo(name, port, 0, _socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        pass  # whoever connects will hear of it


def _in_hosts(name, host, hosts_file):
    try:
        with open(hosts_file, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                words = line.partition("#")[0].split()
                if name in words[1:]:
                    return words[0] == host
    except OSError:
        pass
    return False


def _patch(name, host):
    """
    Patches `_socket`, from which `socket` takes everything: so it holds for socket, asyncio, http and AMQP clients alike, and
    `socket` needn't be imported for it.
    """

    def matches(value):
        return value == name or value == name.encode()

    original_getaddrinfo = _socket.getaddrinfo

    def getaddrinfo(host_, *args, **kwargs):
        return original_getaddrinfo(host if matches(host_) else host_, *args, **kwargs)

    patched = {"getaddrinfo": getaddrinfo}
    for function_name in ("gethostbyname", "gethostbyname_ex"):
        patched[function_name] = _single(getattr(_socket, function_name), matches, host)

    class socket(_socket.socket):
        __slots__ = ()

        def connect(self, address):
            return super().connect(_translated(address))

        def connect_ex(self, address):
            return super().connect_ex(_translated(address))

    def _translated(address):
        if isinstance(address, tuple) and address and matches(address[0]):
            return (host, *address[1:])
        return address

    patched["socket"] = socket
    for function_name, function in patched.items():
        setattr(_socket, function_name, function)
    module = sys.modules.get("socket")
    if module is not None:
        # Its own getaddrinfo calls _socket's; only what it copied needs replacing.
        for function_name in ("gethostbyname", "gethostbyname_ex"):
            setattr(module, function_name, patched[function_name])


def _single(original, matches, host):
    def resolve(name):
        return original(host if matches(name) else name)

    resolve.__name__ = original.__name__
    return resolve
