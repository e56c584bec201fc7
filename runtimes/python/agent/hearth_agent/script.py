"""
Script style: the clean boot process stays small and waits; the template that it forks imports the script's modules and forks a
process per invocation. A template that an import has spoilt is thrown away, and a new one forked that leaves that import out.
"""

import json
import os
import select
import signal
import sys

from . import errors, frames, imports, load as loading, processes

#: Templates that are tried before nothing is imported in advance any more.
MAX_ATTEMPTS = 8
#: An import that takes longer than this is left to the script's own process.
IMPORT_SECONDS = 20


def load(channel, load, source, listeners):
    """Returns, in the template, what serves invocations for ever. The boot process never returns from here."""
    name = load["function"]
    filename = loading.filename_of(load)
    text = loading.decode_source(source)
    tree, code = loading.compile_function(text, filename)
    entries = imports.find(tree)
    del tree
    sys.argv = [filename]
    loading.make_module("__main__", filename)
    excluded = []
    processes.become_subreaper()
    loading.keep_fork_as_start_method(text)
    for attempt in range(MAX_ATTEMPTS + 1):
        wanted = [] if attempt == MAX_ATTEMPTS else _without(entries, excluded)
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            return _become_template(channel, load, code, listeners, wanted, excluded, write)
        os.close(write)
        verdict = _watch(read, pid)
        os.close(read)
        if verdict is None:
            _wait_for(channel, pid, listeners)
        os.waitpid(pid, 0)
        processes.kill_strays(())
        excluded += [module for module in verdict if module not in excluded]
    return errors.fatal("no template could be made")


def _without(entries, excluded):
    """The entries that are left when those of excluded modules go, and all behind a decisive one of these."""
    wanted = []
    for entry in entries:
        if entry[0] not in excluded:
            wanted.append(entry)
        elif entry[2]:
            break
    return wanted


def _become_template(channel, load, code, listeners, wanted, excluded, report):
    from .preload import preload

    def announce(module):
        os.write(report, b"+" + module.encode() + b"\n")

    imported, refused, spoilt = preload(wanted, announce)
    if spoilt:
        processes.kill_strays(())
        os.write(report, ("!" + json.dumps(refused) + "\n").encode())
        os._exit(0)
    from .template import Template

    os.write(report, b"ok\n")
    os.close(report)
    ready = {"concurrency": max(1, int(load.get("concurrency", 1))), "preloaded": imported, "excluded": excluded + refused}
    template = Template(channel, load, code, listeners)
    channel.send(frames.encode(frames.READY, 0, json.dumps(ready).encode()))
    return template.run


def _watch(read, pid):
    """None when the template is fine, else the modules to leave out."""
    text = b""
    ready = select.poll()
    ready.register(read, select.POLLIN)
    while True:
        if not ready.poll(IMPORT_SECONDS * 1000):
            os.kill(pid, signal.SIGKILL)
            return _last_announced(text)
        data = os.read(read, 65536)
        text += data
        last = text.rstrip(b"\n").rpartition(b"\n")[2]
        if last == b"ok":
            return None
        if last.startswith(b"!") and text.endswith(b"\n"):
            return json.loads(last[1:])
        if not data:
            return _last_announced(text)  # an import ended the process


def _last_announced(text):
    modules = [line[1:].decode() for line in text.splitlines() if line.startswith(b"+")]
    return modules[-1:]


def _wait_for(channel, pid, listeners):
    """The rest of the boot process's life. It lets go of the channel, so that the template's death is seen."""
    channel.sock.close()
    for listener, _ in listeners:
        listener.close()
    _, status = os.waitpid(pid, 0)
    processes.kill_strays(())
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        os._exit(128 + number)
    os._exit(os.WEXITSTATUS(status))
