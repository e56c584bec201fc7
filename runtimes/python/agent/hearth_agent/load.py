"""From source text to code: compiling, and making tracebacks show the function's lines."""

import _ast
import sys
from types import ModuleType


def filename_of(name):
    return "/function/%s.py" % name


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


def make_module(name, filename):
    import builtins

    module = ModuleType(name)
    module.__file__ = filename
    module.__builtins__ = builtins
    sys.modules[name] = module
    return module
