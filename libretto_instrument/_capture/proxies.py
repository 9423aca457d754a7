"""Proxies that have the special methods of what they stand for, and no others.

Programs ask with `isinstance(stream, Iterable)` or ``hasattr(stream, "__aiter__")``
which kind of stream they have. wrapt's `ObjectProxy` has every special method there is,
and so answers yes to both.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

_OWN_NAMES = """
__abstractmethods__ __annotations__ __class__ __class_getitem__ __del__ __delattr__
__dict__ __dir__ __doc__ __getattr__ __getattribute__ __getstate__ __init__
__init_subclass__ __module__ __new__ __orig_bases__ __parameters__ __reduce__
__reduce_ex__ __setattr__ __slots__ __subclasshook__ __weakref__ __wrapped__
"""
#: A class is made with these, or they say how attributes are looked up: a proxy has its
#: own.
_OWN = frozenset(_OWN_NAMES.split())
#: Properties for what objects have, and not their classes.
_ATTRIBUTES = frozenset(("response",))


class Proxy:
    """An object that stands for another one, which is its ``__wrapped__``.

    Subclasses have slots whose names begin with ``_self_``; all other attributes are
    those of the other object.
    """

    __slots__ = ("__weakref__", "__wrapped__")

    def __init__(self, wrapped: Any) -> None:
        object.__setattr__(self, "__wrapped__", wrapped)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self.__wrapped__.__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "__wrapped__"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_self_"):
            object.__setattr__(self, name, value)
        else:
            setattr(self.__wrapped__, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__wrapped__, name)

    def __dir__(self) -> list[str]:
        return dir(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __eq__(self, other: object) -> bool:
        return bool(self.__wrapped__ == other)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    # Copied and pickled, or refused, as what it stands for.

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)


@lru_cache(maxsize=256)
def proxy_class(model: type[Proxy], kind: type) -> Callable[..., Any]:
    """Return a class of proxies for ``kind``, with the methods of ``model`` it has."""
    had, slots = dir(kind), vars(model)["__slots__"]
    found = {
        name: value
        for name, value in vars(model).items()
        if (name in _OWN or name in had or name in _ATTRIBUTES) and name not in slots
    }
    for name in had:
        if name not in found and _is_to_forward(name, kind):
            found[name] = _forwarder(name)
    return type(model.__name__, model.__bases__, {**found, "__doc__": kind.__doc__})


def _is_to_forward(name: str, kind: type) -> bool:
    """Say whether ``kind`` has a special method that not every object has."""
    if name in _OWN or not (name.startswith("__") and name.endswith("__")):
        return False
    method = getattr(kind, name, None)
    return callable(method) and method is not getattr(object, name, None)


def _forwarder(name: str) -> Callable[..., Any]:
    def method(self: Proxy, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.__wrapped__, name)(*args, **kwargs)

    method.__name__ = name
    return method
