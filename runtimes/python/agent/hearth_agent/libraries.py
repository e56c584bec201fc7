"""What a sandbox imports before it knows its function: the libraries that somebody asked for by name when the layers were built."""

import os
import signal
import sys

from . import rehearsal
from .preload import Effects, Captured, preload
from .processes import kill_strays

#: An import that takes longer is left to the functions.
IMPORT_SECONDS = 20
_FINE = b"fine"


def requested(layers):
    """Names of the top-level modules of distributions that were installed by name and not as somebody's dependency; in order."""
    found = []
    for layer in layers:
        for name in sorted(os.listdir(layer)):
            folder = os.path.join(layer, name)
            if name.endswith(".dist-info") and os.path.exists(os.path.join(folder, "REQUESTED")):
                found += [module for module in _top_level(folder) if module not in found]
    return found


def _top_level(folder):
    try:
        with open(os.path.join(folder, "top_level.txt"), encoding="utf-8") as file:
            names = file.read().split()
    except FileNotFoundError:
        with open(os.path.join(folder, "RECORD"), encoding="utf-8") as file:
            names = sorted({name for name in map(_module_of, file) if name})
    return [name for name in names if name.isidentifier() and not name.startswith("_")]


def _module_of(line):
    """The module that a line of RECORD (path,hash,size) belongs to, or None."""
    path = line.partition(",")[0]
    first, slash, rest = path.partition("/")
    if slash:
        return first if rest == "__init__.py" else None
    return first[:-3] if first.endswith(".py") else None


def import_all(modules, exclude):
    """
    (imported, rehearsed, excluded, spoilt): each is tried in a process of its own first, and imported here when that left no trace; then those that answer for
    functions hold conversations. `spoilt` names what nevertheless left a trace here: this process must not be used.
    """
    imported = []
    rehearsed = []
    excluded = list(exclude)
    for module in modules:
        if module in excluded:
            continue
        if not _tried(lambda module=module: _import(module)):
            excluded.append(module)
            continue
        done, refused, spoilt = preload([(module, (), False)], lambda _: None)
        if spoilt:
            return imported, rehearsed, excluded, module
        imported += done
        excluded += refused
    for module in filter(rehearsal.known, imported):
        name = "rehearsal of %s" % module
        if name in excluded:
            continue
        if not _tried(lambda module=module: _rehearse(module)):
            excluded.append(name)
        elif not _rehearse(module):
            return imported, rehearsed, excluded, name
        else:
            rehearsed.append(module)
    return imported, rehearsed, excluded, None


def _import(module):
    _, excluded, spoilt = preload([(module, (), False)], lambda _: None)
    return not excluded and not spoilt


def _rehearse(module):
    """Whether the conversation took place and left no trace."""
    with Captured() as captured:
        before = Effects(captured.file)
        try:
            rehearsal.hold(module)
        except Exception:
            return False
        return before.difference(Effects(captured.file), ("children_time",)) is None


def _tried(attempt):
    """Whether `attempt` returns true in a process of its own, which is gone then with all that it started."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(3)  # the control channel
            os.setsid()  # what it does to its process group doesn't reach us
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
            signal.alarm(IMPORT_SECONDS)
            if attempt():
                os.write(write, _FINE)
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    kill_strays(())  # before reading: they hold the pipe open too, and are ours since we are their subreaper
    # Said, not told by the exit status: what was attempted may end the process with any.
    said = os.read(read, len(_FINE))
    os.close(read)
    return said == _FINE


def only_thread():
    return len(os.listdir("/proc/self/task")) == 1


def forget_path(layers):
    sys.path[:] = [path for path in sys.path if path not in layers]
    for layer in layers:
        sys.path_importer_cache.pop(layer, None)
