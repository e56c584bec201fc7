"""Imports a script's modules in the template, one by one, and looks whether that did anything but define things."""

import os
import sys

#: Where files are looked for that an import may have made.
_TEMPORARY = "TMPDIR"


class Effects:
    """A look at the process; two looks that differ mean a side effect."""

    def __init__(self, output):
        import resource
        import signal

        self.threads = len(os.listdir("/proc/self/task"))
        self.descriptors = _descriptors()
        self.environment = os.environ.copy()
        self.folder = _folder()
        self.umask = os.umask(0)
        os.umask(self.umask)
        self.signals = [signal.getsignal(number) for number in signal.valid_signals()]
        self.system = [sys.argv[:], sys.path[:], sys.stdin, sys.stdout, sys.stderr, sys.excepthook, sys.gettrace(), sys.getprofile()]
        self.children = _has_children()
        self.children_time = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
        self.files = _files()
        self.output = os.fstat(output).st_size

    def difference(self, later, besides=()):
        """What changed, in a word or two, or None; `besides` what may have."""
        for name in vars(self):
            if name not in besides and getattr(self, name) != getattr(later, name):
                return name.replace("_", " ")
        return None


def _descriptors():
    return sorted(os.listdir("/proc/self/fd"))


def _folder():
    try:
        return os.getcwd()
    except OSError:
        return None


def _has_children():
    try:
        return os.waitpid(-1, os.WNOHANG) is not None
    except ChildProcessError:
        return False


def _files():
    try:
        return sorted(os.listdir(os.environ.get(_TEMPORARY, "/tmp")))
    except OSError:
        return []


class Captured:
    """Descriptors 1 and 2 into a file of no name while modules are imported, so that what they print is noticed."""

    def __enter__(self):
        self._saved = os.dup(1), os.dup(2)
        self.file = _nameless_file()
        _flush()
        os.dup2(self.file, 1)
        os.dup2(self.file, 2)
        return self

    def __exit__(self, *_):
        _flush()
        for descriptor, saved in enumerate(self._saved, 1):
            os.dup2(saved, descriptor)
            os.close(saved)
        os.close(self.file)


def _nameless_file():
    try:
        return os.memfd_create("hearth-output")
    except OSError:
        import tempfile

        descriptor, path = tempfile.mkstemp()
        os.unlink(path)
        return descriptor


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: S110 - an import may have put anything there
            pass


def preload(entries, announce):
    """
    Imports `entries` ((module, names, decisive) as imports.find gives them). `announce(module)` is called before each.
    Returns (imported modules, excluded modules, whether the process is spoilt by what an excluded one did).
    """
    imported = []
    excluded = []
    spoilt = False
    with Captured() as captured:
        before = Effects(captured.file)
        for module, names, decisive in entries:
            if module in excluded:
                if decisive:
                    break
                continue
            announce(module)
            known = len(sys.modules)
            error = _import(module, names)
            _flush()
            after = Effects(captured.file)
            changed = before.difference(after)
            if error is None and changed is None:
                if module not in imported:
                    imported.append(module)
                continue
            excluded.append(module)
            before = after
            if changed is not None or not isinstance(error, ModuleNotFoundError) or len(sys.modules) != known:
                spoilt = True
            if decisive:
                break
    return [module for module in imported if module not in excluded], excluded, spoilt


def _import(module, names):
    from importlib import import_module

    try:
        imported = import_module(module)
        for name in names:
            if hasattr(imported, "__path__") and not hasattr(imported, name):
                _import_submodule(import_module, "%s.%s" % (module, name))
    except BaseException as error:  # noqa: B036 - a module may raise anything; the script's own process will see it
        return error
    return None


def _import_submodule(import_module, name):
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
