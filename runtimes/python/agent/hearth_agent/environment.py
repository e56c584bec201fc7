"""The process's surroundings: limits, environment variables, the path of modules, builtins that `site` would have made."""

import builtins
import os
import resource
import sys

DEFAULTS = {
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PYTHONUNBUFFERED": "1",
}


def apply_limits(limits):
    """Sets soft and hard POSIX limits except that of open files, never above what is allowed already. No core dumps in any case."""
    _limit(resource.RLIMIT_CORE, 0)
    for member, limit in (("fileBytes", resource.RLIMIT_FSIZE), ("processes", resource.RLIMIT_NPROC), ("memoryBytes", resource.RLIMIT_DATA)):
        if limits.get(member) is not None:
            _limit(limit, int(limits[member]))


def limit_open_files(count):
    _limit(resource.RLIMIT_NOFILE, int(count))


def allow_open_files():
    """As many as may be had: the template holds two descriptors per invocation besides its own."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    soft = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _limit(limit, value):
    hard = resource.getrlimit(limit)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(limit, (value, value))


def apply_environment(environment):
    """The driver's variables, over our defaults, under the function's."""
    for name, value in DEFAULTS.items():
        if name not in os.environ:
            os.environ[name] = value
    for name, value in environment.items():
        os.environ[name] = value
    if "TZ" in environment:
        import time

        time.tzset()


def apply_layers(layers):
    sys.path[:0] = list(layers)


def add_site_builtins():
    """exit, quit, copyright, credits, license and help, which -S leaves out."""
    import _sitebuiltins

    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.copyright = _sitebuiltins._Printer("copyright", sys.copyright)
    builtins.credits = _sitebuiltins._Printer("credits", "See www.python.org for more information.")
    builtins.license = _sitebuiltins._Printer("license", "See https://www.python.org/psf/license/")
    builtins.help = _sitebuiltins._Helper()


def close_inherited(keep=3):
    """Closes every descriptor above `keep`: whatever the launcher forgot to close."""
    try:
        open_now = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        os.closerange(keep + 1, 1024)
        return
    for descriptor in open_now:
        if descriptor > keep:
            try:
                os.close(descriptor)
            except OSError:
                pass  # the one that listed the folder
