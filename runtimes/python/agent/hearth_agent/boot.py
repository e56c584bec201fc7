"""Between Hello and Ready: prepare while the sandbox is still generic, then load what the platform asks for."""

import os
import sys

from . import environment, errors, frames
from .channel import Channel, ChannelClosed
from .fast_json import loads


#: Milliseconds in which a platform that has use for the sandbox at once sends Load.
_HEELS_MS = 2

#: Whether this process is a sandbox's, or becomes one: elsewhere the SDK is installed for tests.
inside = False


def run():
    """Never returns."""
    try:
        environment.close_inherited()
        environment.add_site_builtins()
        channel = Channel()
        os.set_inheritable(channel.sock.fileno(), False)  # programs that the function runs have no business with it
        prepare()
        if _nobody_waits(channel):
            from . import dry_run

            dry_run.run()
        load, source = _read_load(channel)
        _load(channel, load, source)
    except ChannelClosed:
        os._exit(0)
    except frames.ProtocolError as error:
        errors.fatal("protocol error: %s" % error)
    except BaseException:
        import traceback

        errors.fatal("the runtime broke:\n%s" % traceback.format_exc(), 71)


def _nobody_waits(channel):
    """Whether Load didn't come on the heels of Hello: the sandbox is in stock."""
    from select import POLLIN, poll

    waiting = poll()
    waiting.register(channel.sock.fileno(), POLLIN)
    return not waiting.poll(_HEELS_MS)


def import_libraries(layers):
    """What the layers were built for, while the sandbox is still generic. A process that this has spoilt ends."""
    from . import libraries, processes

    processes.become_subreaper()
    environment.add_site_builtins()
    sys.path[:0] = layers
    *_, spoilt = libraries.import_all(libraries.requested(layers), [])
    libraries.forget_path(layers)
    if spoilt is None and not libraries.only_thread():
        spoilt = "a library"
    if spoilt is not None:
        errors.fatal("the import of %s in advance has side effects only at times" % spoilt)


class _Sdk:
    """Finds `hearth`, which lies beside this package, when nobody else has a module of that name."""

    @staticmethod
    def find_spec(name, path=None, _target=None):
        if name != "hearth" or path is not None:
            return None
        from importlib.util import spec_from_file_location

        folder = __file__.rpartition("/")[0].rpartition("/")[0] + "/hearth"
        return spec_from_file_location(name, folder + "/__init__.py", submodule_search_locations=[folder])


def prepare():
    """Imports what loading needs, while nobody waits."""
    global inside
    inside = True
    if _Sdk not in sys.meta_path:
        sys.meta_path.append(_Sdk)
    import ctypes  # noqa: F401
    import gc  # noqa: F401
    import io  # noqa: F401
    import json  # noqa: F401
    import linecache  # noqa: F401
    import traceback  # noqa: F401

    from . import bundle, child, dry_run, handler, imports, load, preload, request, resolve, result, script  # noqa: F401
    from . import serve_one, streams, template, tunnel_thread  # noqa: F401


def _read_load(channel):
    kind, ident, payload = channel.receive()
    if kind == frames.SHUTDOWN:
        raise ChannelClosed
    if kind != frames.LOAD or ident != 0:
        raise frames.ProtocolError("type 0x%02x came before Load" % kind)
    load = parse_object(payload)
    source = bytearray()
    try:
        missing = int(load["codeLength"])
        load["function"], load["style"], load["layers"], load["environment"], load["limits"]
    except (KeyError, TypeError, ValueError) as error:
        raise frames.ProtocolError("Load is incomplete: %r" % error) from error
    while len(source) < missing:
        kind, ident, payload = channel.receive()
        if kind != frames.LOAD_CODE or ident != 0:
            raise frames.ProtocolError("type 0x%02x came inside the code" % kind)
        source += payload
    if len(source) != missing:
        raise frames.ProtocolError("more code came than Load announced")
    if "bundle" in load:
        _receive_bundle(channel, load)
    return load, bytes(source)


def _receive_bundle(channel, load):
    """What keeps it from being unpacked is told when all has come, since nobody listens before."""
    from .bundle import Unpacker

    try:
        described = load["bundle"]
        missing = int(described["length"])
        unpacker = Unpacker(described["folder"])
        described["entry"]
    except (KeyError, TypeError, ValueError) as error:
        raise frames.ProtocolError("Load is incomplete: %r" % error) from error
    load["trouble"] = None
    while missing > 0:
        kind, ident, payload = channel.receive()
        if kind != frames.LOAD_BUNDLE or ident != 0:
            raise frames.ProtocolError("type 0x%02x came inside the bundle" % kind)
        missing -= len(payload)
        try:
            if load["trouble"] is None:
                unpacker.feed(payload)
                if missing == 0:
                    unpacker.end()
        except (OSError, ValueError, KeyError, TypeError) as error:
            load["trouble"] = errors.FunctionError("BundleError", "the bundle could not be unpacked: %s" % error)
    if missing < 0:
        raise frames.ProtocolError("more of the bundle came than Load announced")


def parse_object(payload):
    try:
        value = loads(payload.decode())
    except (ValueError, RecursionError) as error:
        raise frames.ProtocolError("payload is no JSON: %s" % error) from error
    if type(value) is not dict:
        raise frames.ProtocolError("payload is no JSON object")
    return value


_INVOKE_MEMBERS = frozenset(("correlationId", "instanceId", "verb", "path", "rawPath", "query", "params", "headers", "bodyLength", "deadline"))


def parse_invoke(payload, streamed=False):
    """`streamed`: whether its body may come while it runs, which is the `bodyLength` null."""
    invoke = parse_object(payload)
    if not _INVOKE_MEMBERS <= invoke.keys() or not (type(invoke["bodyLength"]) is int or (streamed and invoke["bodyLength"] is None)):
        raise frames.ProtocolError("Invoke is incomplete")
    return invoke


def _load(channel, load, source):
    from . import bundle, request

    try:
        if load.get("trouble") is not None:
            raise load["trouble"]
        environment.apply_limits(load["limits"])
        environment.apply_environment(load["environment"])
        secrets = load.pop("secrets", None)
        if secrets:
            environment.apply_environment(secrets)
            request.give_secrets(secrets)
        environment.apply_layers(load["layers"])
        if "bundle" in load:
            bundle.enter(load["bundle"]["folder"], load["bundle"]["entry"])
        listeners = _listen(load)
        style = _style(load["style"])
        if load["style"] != "handler":
            environment.allow_open_files()
        elif load["limits"].get("openFiles") is not None:
            environment.limit_open_files(load["limits"]["openFiles"])
        serve = style.load(channel, load, source, listeners)
    except (ChannelClosed, frames.ProtocolError):
        raise
    except BaseException as error:  # the function's code may raise anything, SystemExit included
        fail_load(channel, error)
    serve()


def _style(name):
    if name == "script":
        from . import script as style
    elif name == "handler":
        from . import handler as style
    else:
        from . import supervise as style
    return style


def fail_load(channel, error):
    import json

    channel.send(frames.encode(frames.LOAD_FAILED, 0, json.dumps(errors.error_object(error)).encode()))
    _flush()
    os._exit(1)


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: S110 - the function may have put anything there
            pass


def listens(load):
    """Where to listen: first for the reply endpoint, then for services."""
    where = load.get("streamListen")
    return [*([] if where is None else [where]), *load.get("services", ())]


def _listen(load):
    """Pairs of a listening socket and the name of its service, None for the reply endpoint."""
    wanted = listens(load)
    if not wanted:
        return []
    from . import resolve, streams

    resolve.make_resolvable({where["name"]: where["host"] for where in wanted})
    endpoint = load.get("streamListen")
    return [(streams.listen(where["host"], where["port"]), None if where is endpoint else where["name"]) for where in wanted]
