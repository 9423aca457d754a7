"""Wrappers that replace openai's methods, and are copied and pickled as they are."""

import copy
from typing import Any

import wrapt


class _Bound(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]
    """A patched method, taken from an instance or from its class."""

    def __copy__(self) -> Any:
        return self if self._self_instance is None else getattr(*self._place())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        instance = self._self_instance
        if instance is None:
            return self
        copied = copy.deepcopy(instance, memo)
        return self._self_parent.__get__(copied, type(copied))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return getattr, self._place()

    def _place(self) -> tuple[Any, str]:
        owner, name = self._self_parent._self_place
        instance = self._self_instance
        return (owner if instance is None else instance), name


class PatchedMethod(wrapt.FunctionWrapper):  # type: ignore[type-arg]
    """A wrapper around a method of a class."""

    __bound_function_wrapper__ = _Bound

    def __init__(self, owner: type, name: str, original: Any, wrapper: Any) -> None:
        """Wrap ``original``, which is found in the class ``owner`` under ``name``."""
        super().__init__(original, wrapper)
        self._self_place = (owner, name)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        return getattr, self._self_place


class PatchedStandIn(PatchedMethod):
    """A wrapper around what is not bound when it is looked up, such as a mock.

    wrapt 1's wrappers take it for a method.
    """

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self


# wrapt's proxies have these, and would pass for containers and context managers.
_PROXYS_OWN = """
__aenter__ __aexit__ __contains__ __enter__ __exit__ __getitem__ __iter__ __len__
__reversed__
"""
for _name in _PROXYS_OWN.split():
    setattr(_Bound, _name, None)
    setattr(PatchedMethod, _name, None)
