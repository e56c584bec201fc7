"""Start of the runtime: says Hello over descriptor 3 before anything else is imported, then becomes hearth_agent.boot.

Started as `python3 -I -S -B <folder>/agent/__main__.py`; with layers as further arguments it imports their libraries first. docs/protocol.md is the
specification.
"""

import posix
import sys


def _hello():
    version = "%d.%d.%d" % sys.version_info[:3]
    payload = ('{"protocol": 1, "runtime": "python", "version": "%s"}' % version).encode()
    frame = len(payload).to_bytes(4, "big") + b"\x81\0\0\0\0" + payload
    while frame:
        frame = frame[posix.write(3, frame) :]


def _main():
    layers = sys.argv[1:]
    del sys.argv[1:]
    if not layers:
        _try_hello()
    folder = __file__.rpartition("/")[0] or "."
    # Only for the first import: the package finds its own modules by its __path__ afterwards.
    sys.path[:] = [path for path in sys.path if path not in ("", folder)]
    sys.path.insert(0, folder)
    from hearth_agent import boot

    sys.path.remove(folder)
    if layers:
        boot.import_libraries(layers)
        _try_hello()
    boot.run()


def _try_hello():
    try:
        _hello()
    except OSError as error:
        posix.write(2, ("hearth: no channel on descriptor 3: %s\n" % error).encode())
        posix._exit(70)


if __name__ == "__main__":
    _main()
