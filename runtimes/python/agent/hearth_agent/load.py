"""From source text to code: compiling, and making tracebacks show the function's lines."""

import _ast
import sys
from types import ModuleType


def filename_of(load):
    bundle = load.get("bundle")
    if bundle is not None:
        return "%s/%s" % (bundle["folder"], bundle["entry"])
    return "/function/%s.py" % load["function"]


def decode_source(data):
    """Source is UTF-8; raises UnicodeDecodeError otherwise."""
    text = data.decode("utf-8")
    return text[1:] if text.startswith("\ufeff") else text


def compile_function(text, filename):
    """(tree, code). Raises SyntaxError or ValueError as `compile` does."""
    import linecache

    # mtime None keeps linecache.checkcache from looking for a file.
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    tree = compile(text, filename, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    return tree, compile(tree, filename, "exec", dont_inherit=True)


def keep_fork_as_start_method(text):
    """
    From 3.14 on, multiprocessing starts its processes from the main module's file, and the function's is none.
    So where the code mentions it, forking stays the default, as it was before; the function may still choose otherwise.
    """
    if sys.version_info < (3, 14) or not ("multiprocessing" in text or "ProcessPool" in text):
        return
    from multiprocessing import context

    context._default_context._default_context = context._concrete_contexts["fork"]


def make_module(name, filename):
    import builtins

    module = ModuleType(name)
    module.__file__ = filename
    module.__builtins__ = builtins
    sys.modules[name] = module
    return module
