"""The forked process of one invocation: runs the script as a fresh `__main__`, and ends as the interpreter would."""

import atexit
import io
import os
import signal
import sys
from marshal import dumps, loads
from types import ModuleType

from . import errors
from .environment import limit_open_files
from .request import VARIABLES

#: Where a spare's socket is while it waits.
_CONTROL = 3
#: Where the template takes calls of other functions; None when it takes none.
calls_address = None
#: More than the template hands over.
_MAX_ENVIRONMENT = 131072


def prepare():
    """Everything that needn't wait for the fork. In the template."""
    sys.stdout = sys.__stdout__ = _text(1, "surrogateescape", "<stdout>")
    sys.stderr = sys.__stderr__ = _text(2, "backslashreplace", "<stderr>")


def _text(descriptor, on_error, name):
    raw = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - lives as long as the process
    text = io.TextIOWrapper(raw, encoding="utf-8", errors=on_error, line_buffering=True)
    text.mode = "w"
    try:
        raw.raw.name = name
    except AttributeError:
        pass
    return text


def run(code, environment, out, err, highest, open_files):
    """Never returns. `out` and `err` become descriptors 1 and 2, everything from 3 to `highest` is closed."""
    status = 1
    try:
        _settle_in(out, err, 3, highest, open_files)
        status = _run(code, _fresh_main(), environment)
    finally:
        os._exit(status)


def wait(code, control, out, err, highest, open_files):
    """As `run`, with the environment marshalled in one packet of the socket `control`, which becomes descriptor 3 until then. Never returns."""
    status = 0
    try:
        os.dup2(control, _CONTROL)
        _settle_in(out, err, _CONTROL + 1, highest, open_files)
        main = _fresh_main()
        _rehearse()
        data = os.read(_CONTROL, _MAX_ENVIRONMENT)
        if data:
            status = 1
            os.close(_CONTROL)
            status = _run(code, main, loads(data))
    finally:
        os._exit(status)


def _rehearse():
    """Goes the way of a run, leaving no trace: the memory that it writes to is copied now, while nobody waits for it."""
    for name, value in loads(dumps(dict.fromkeys(VARIABLES, "x"))).items():
        if name not in os.environ:
            os.environ[name] = value
            del os.environ[name]


def _settle_in(out, err, lowest, highest, open_files):
    """All that doesn't depend on the invocation."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.closerange(lowest, highest + 1)
    if open_files is not None:
        limit_open_files(open_files)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _fresh_main():
    main = ModuleType("__main__")
    template = sys.modules["__main__"]
    main.__file__ = template.__file__
    main.__builtins__ = template.__builtins__
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    return main


def _run(code, main, environment):
    for name, value in environment.items():
        os.environ[name] = value
    # Last, because whoever finds this process ended takes it for the mark that the script has begun.
    os.setsid()
    return _finalize(_run_main(code, main))


def _run_main(code, main):
    try:
        exec(code, main.__dict__)
    except SystemExit as error:
        return _exit_code(error)
    except KeyboardInterrupt as error:
        _show(error)
        return -signal.SIGINT
    except BaseException as error:  # noqa: B036 - whatever nobody caught
        _show(error)
        return 1
    return 0


def _exit_code(error):
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    try:
        print(code, file=sys.stderr)
    except BaseException:  # noqa: S110 - its __str__ may raise; the interpreter ignores that too
        pass
    return 1


def _show(error):
    try:
        errors.show_uncaught(error)
    except SystemExit:
        pass
    except BaseException:
        sys.__excepthook__(*sys.exc_info())


def _finalize(status):
    """As Py_FinalizeEx: threads that aren't daemons, atexit, flush."""
    threading = sys.modules.get("threading")
    try:
        if threading is not None:
            threading._shutdown()
    except BaseException as error:  # noqa: B036 - Ctrl-C while waiting
        _show(error)
    try:
        atexit._run_exitfuncs()
    except BaseException as error:  # noqa: B036
        _show(error)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
        except BaseException:
            status = status or 120  # what CPython exits with when standard output can't be flushed
    if status == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 130
    return status
