"""Tells what a function's source is, without running it: prints one JSON object and exits 0.

Usage: inspect_code.py FILE
Prints {"style": "script" | "handler", "asynchronous": bool} or {"error": {"message": str, "line": int | null}}.
Runs inside a sandbox: the parser of CPython is robust, not infallible, and the source is somebody else's.
"""

import ast
import json
import sys


def handler_of(module):
    """The statement that last binds the name `handler` at the top level, looking into `try` and `if` as the name may be bound there."""
    found = None
    pending = list(module.body)
    while pending:
        node = pending.pop(0)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if node.name == "handler":
                found = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            if any((alias.asname or alias.name) == "handler" for alias in node.names):
                found = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "handler" for target in targets):
                found = node
        elif isinstance(node, (ast.Try, ast.If, ast.With)):
            pending[:0] = node.body + getattr(node, "orelse", [])
    return found


def definition_of_others(module):
    """
    OpenFaaS' `handle` or OpenWhisk's `main(args)`, where nothing else is done at the top level than to import, define and assign: a
    script with such a function calls it.
    """
    found = {}
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found[node.name] = node
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            pass  # a docstring
        elif not isinstance(node, (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.ClassDef, ast.Try)):
            return None
    for name, arities in (("handle", (1, 2)), ("main", (1,))):
        if name in found and len(found[name].args.args) in arities:
            return found[name]
    return None


def inspect(source):
    try:
        module = ast.parse(source, "function.py")
    except SyntaxError as error:
        return {"error": {"message": error.msg or "the code is no Python", "line": error.lineno}}
    except (ValueError, RecursionError, MemoryError) as error:
        return {"error": {"message": str(error) or "the code is nested too deeply", "line": None}}
    node = handler_of(module) or definition_of_others(module)
    if node is None:
        return {"style": "script", "asynchronous": False}
    return {"style": "handler", "asynchronous": isinstance(node, ast.AsyncFunctionDef)}


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        print(json.dumps(inspect(file.read())))
