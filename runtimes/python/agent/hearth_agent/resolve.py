"""Makes the names of the reply endpoint and of services resolve where /etc/hosts doesn't know them (the driver without isolation)."""

import _socket
import sys


def make_resolvable(names, hosts_file="/etc/hosts"):
    """`names`: the host of each. True when some had to be patched into the resolver's functions."""
    known = _hosts(hosts_file)
    missing = {name: host for name, host in names.items() if name != host and known.get(name) != host}
    if missing:
        _patch(missing)
    return bool(missing)


def warm_up(name, port):
    """Has the resolver load what it needs (a codec, the system's name services), so that no invocation does it anew."""
    try:
        _socket.getaddrinfo(name, port, 0, _socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        pass  # whoever connects will hear of it


def _hosts(hosts_file):
    """The address of each name: the first that stands there."""
    known = {}
    try:
        with open(hosts_file, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                words = line.partition("#")[0].split()
                for name in words[1:]:
                    known.setdefault(name, words[0])
    except OSError:
        pass
    return known


def _patch(names):
    """
    Patches `_socket`, from which `socket` takes everything: so it holds for socket, asyncio, http and AMQP clients alike, and
    `socket` needn't be imported for it.
    """

    names = {**names, **{name.encode(): host for name, host in names.items()}}

    def address_of(value):
        return names.get(value, value) if isinstance(value, (str, bytes)) else value

    original_getaddrinfo = _socket.getaddrinfo

    def getaddrinfo(host_, *args, **kwargs):
        return original_getaddrinfo(address_of(host_), *args, **kwargs)

    patched = {"getaddrinfo": getaddrinfo}
    for function_name in ("gethostbyname", "gethostbyname_ex"):
        patched[function_name] = _single(getattr(_socket, function_name), address_of)

    class socket(_socket.socket):
        __slots__ = ()

        def connect(self, address):
            return super().connect(_translated(address))

        def connect_ex(self, address):
            return super().connect_ex(_translated(address))

    def _translated(address):
        if isinstance(address, tuple) and address:
            return (address_of(address[0]), *address[1:])
        return address

    patched["socket"] = socket
    for function_name, function in patched.items():
        setattr(_socket, function_name, function)
    module = sys.modules.get("socket")
    if module is not None:
        # Its own getaddrinfo calls _socket's; only what it copied needs replacing.
        for function_name in ("gethostbyname", "gethostbyname_ex"):
            setattr(module, function_name, patched[function_name])


def _single(original, address_of):
    def resolve(name):
        return original(address_of(name))

    resolve.__name__ = original.__name__
    return resolve
