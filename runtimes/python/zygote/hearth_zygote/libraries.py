"""What a zygote imports in advance: the libraries that somebody asked for by name when the layers were built."""

import os
import signal
import sys

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
    (imported, excluded, spoilt): each is tried in a process of its own first, and imported here when that left no trace. `spoilt` names one
    that nevertheless left a trace here: this process must not be used.
    """
    from hearth_agent.preload import preload

    imported = []
    excluded = list(exclude)
    for module in modules:
        if module in excluded:
            continue
        if not _rehearse(module):
            excluded.append(module)
            continue
        done, refused, spoilt = preload([(module, (), False)], lambda _: None)
        if spoilt:
            return imported, excluded, module
        imported += done
        excluded += refused
    return imported, excluded, None


def _rehearse(module):
    from hearth_agent.preload import preload

    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(3)  # the control channel
            os.setsid()  # what it does to its process group doesn't reach the zygote
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
            signal.alarm(IMPORT_SECONDS)
            _, excluded, spoilt = preload([(module, (), False)], lambda _: None)
            if not excluded and not spoilt:
                os.write(write, _FINE)
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    _end_strays()  # before reading: they hold the pipe open too
    # Said, not told by the exit status: the import itself may end the process with any.
    said = os.read(read, len(_FINE))
    os.close(read)
    return said == _FINE


def _end_strays():
    """Orphans of a rehearsal come to us, since this process is their subreaper."""
    from hearth_agent.processes import kill_strays

    kill_strays(())


def only_thread():
    return len(os.listdir("/proc/self/task")) == 1


def forget_path(layers):
    sys.path[:] = [path for path in sys.path if path not in layers]
    for layer in layers:
        sys.path_importer_cache.pop(layer, None)
