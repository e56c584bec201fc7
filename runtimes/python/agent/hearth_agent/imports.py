"""
Which modules a script's template may import in advance: those that the script imports at its top, before it does anything else.

Only import statements, definitions and constants may stand before them: a call or an assignment to somebody's attribute
(`os.environ["X"] = …`, `sys.path.insert(…)`, `monkey.patch_all()`) may be there to change what an import does, so the imports behind it
are left to the script's own process.
"""

from _ast import (
    AnnAssign,
    Assert,
    Assign,
    AsyncFunctionDef,
    ClassDef,
    Constant,
    Dict,
    Expr,
    FunctionDef,
    Import,
    ImportFrom,
    List,
    Name,
    Pass,
    Set,
    Try,
    Tuple,
    UnaryOp,
)


def find(tree):
    """
    [(module, names, decisive)] in order, each once: `names` are those of `from module import names`, empty for `import module`;
    when a decisive one fails, the script does something about it, so nothing behind it may be imported in advance.
    """
    found = []
    _scan(tree.body, found, False)
    return list(dict.fromkeys(found))


def _scan(statements, found, decisive):
    """False when a statement was met behind which nothing may be imported in advance."""
    for statement in statements:
        if isinstance(statement, Import):
            found.extend((alias.name, (), decisive) for alias in statement.names)
        elif isinstance(statement, ImportFrom):
            if not statement.level and statement.module != "__future__":
                found.append((statement.module, tuple(alias.name for alias in statement.names if alias.name != "*"), decisive))
        elif isinstance(statement, Try):
            handled = all(_harmless_all(handler.body) for handler in statement.handlers)
            if not _scan(statement.body, found, decisive or not handled):
                return False
            if not _harmless_all([*statement.orelse, *statement.finalbody]):
                return False
        elif not _harmless(statement):
            return False
    return True


def _harmless_all(statements):
    """Imports count as harmless here: whether they run isn't known, so they are neither imported nor an obstacle."""
    return all(isinstance(statement, (Import, ImportFrom)) or _harmless(statement) for statement in statements)


def _harmless(statement):
    if isinstance(statement, (FunctionDef, AsyncFunctionDef)):
        defaults = [*statement.args.defaults, *(default for default in statement.args.kw_defaults if default is not None)]
        return not statement.decorator_list and all(_constant(default) for default in defaults)
    if isinstance(statement, ClassDef):
        return not statement.decorator_list and not statement.keywords and _harmless_all(statement.body)
    if isinstance(statement, Assign):
        return all(isinstance(target, Name) for target in statement.targets) and _constant(statement.value)
    if isinstance(statement, AnnAssign):
        return isinstance(statement.target, Name) and (statement.value is None or _constant(statement.value))
    if isinstance(statement, Expr):
        return _constant(statement.value)
    if isinstance(statement, Assert):
        return False
    return isinstance(statement, Pass)


def _constant(node):
    if isinstance(node, (Constant, Name)):
        return True
    if isinstance(node, UnaryOp):
        return _constant(node.operand)
    if isinstance(node, (Tuple, List, Set)):
        return all(_constant(element) for element in node.elts)
    if isinstance(node, Dict):
        return all(key is None or _constant(key) for key in node.keys) and all(_constant(value) for value in node.values)
    return False
