"""What a handler wants: how many arguments, and whether it is asynchronous."""

from types import FunctionType

from .errors import FunctionError

_VARARGS = 0x04
_COROUTINE = 0x80
_ASYNC_GENERATOR = 0x200


class Function:
    __slots__ = ("call", "arity", "is_async")

    def __init__(self, handler, name="handler"):
        if not callable(handler):
            raise FunctionError("LoadError", "`%s` is %s, which can't be called" % (name, type(handler).__name__))
        self.call = handler
        self.arity = _arity(handler)
        self.is_async = _is_async(handler)


def _arity(handler):
    """0, 1 or 2: how many of (message, context) it takes."""
    if type(handler) is FunctionType:
        code = handler.__code__
        if not code.co_flags & _VARARGS and not code.co_kwonlyargcount:
            required = code.co_argcount - len(handler.__defaults__ or ())
            return _checked(required, min(2, code.co_argcount))
    return _arity_by_inspection(handler)


def _arity_by_inspection(handler):
    import inspect

    try:
        parameters = inspect.signature(handler, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return 2  # a builtin that doesn't tell
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    unmet = [p.name for p in parameters if p.kind == p.KEYWORD_ONLY and p.default is p.empty]
    if unmet:
        raise FunctionError("LoadError", "`handler` needs the keyword argument %s, which nobody gives it" % unmet[0])
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        # A decorator's (*args, **kwargs) takes what the function inside it takes.
        inner = getattr(handler, "__wrapped__", None)
        return 2 if inner is None else _arity(inner)
    return _checked(len([p for p in positional if p.default is p.empty]), min(2, len(positional)))


def _checked(required, taken):
    if required > 2:
        raise FunctionError("LoadError", "`handler` needs %d arguments; it is given two, message and context" % required)
    return taken


def _is_async(handler):
    while True:
        if hasattr(handler, "__wrapped__"):
            handler = handler.__wrapped__
        elif type(handler).__name__ == "partial" and hasattr(handler, "func"):
            handler = handler.func
        elif hasattr(handler, "__func__"):
            handler = handler.__func__
        else:
            break
    code = getattr(handler, "__code__", None)
    if code is None:
        code = getattr(getattr(type(handler), "__call__", None), "__code__", None)
    return code is not None and bool(code.co_flags & (_COROUTINE | _ASYNC_GENERATOR))
