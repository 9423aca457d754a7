"""Raw views of a resource that were made before its methods were patched.

``with_raw_response`` and ``with_streaming_response`` bind a resource's methods when
they are made, and their client keeps them. A view made before a patch would never see
``libretto=`` nor a template, so what it bound of the patched method is bound again.
"""

import sys
from types import FunctionType, MethodType
from typing import Any

from .._util import errors
from .patched_method import PatchedMethod

_SUFFIXES = ("WithRawResponse", "WithStreamingResponse")


class RawViewRefresher:
    """Keeps one method up to date on every view of a resource's class.

    It is a descriptor of the views' classes, where the views themselves hold the method
    as an attribute. What they hold stays what it is: another method is only handed out
    in its place.
    """

    def __init__(self, owner: type, method: str, original: Any, wrapper: Any) -> None:
        """Find the views of ``owner``, whose method ``wrapper`` stands for now."""
        module = sys.modules.get(owner.__module__)
        found = (getattr(module, owner.__name__ + suffix, None) for suffix in _SUFFIXES)
        self._views = [view for view in found if isinstance(view, type)]
        self._owner = owner
        self._method = method
        self._original = _strip_patches(original)
        self._wrapper = wrapper
        self._renewed = f"_libretto_{method}"

    def start(self) -> None:
        """Hand out the patched method on every view from now on."""
        for view in self._views:
            if self._method not in view.__dict__:
                setattr(view, self._method, self)

    def stop(self) -> None:
        """Leave the views' classes as they were."""
        for view in self._views:
            if view.__dict__.get(self._method) is self:
                delattr(view, self._method)

    def __set__(self, view: Any, method: Any) -> None:
        view.__dict__[self._method] = method

    def __delete__(self, view: Any) -> None:
        if self._method not in view.__dict__:
            raise AttributeError(self._method)
        del view.__dict__[self._method]

    def __get__(self, view: Any, owner: Any = None) -> Any:
        methods = {} if view is None else view.__dict__
        if self._method not in methods:
            raise AttributeError(self._method)
        held = methods[self._method]
        try:
            resource = self._resource_to_bind(held)
            if resource is None:
                return held
            of, by, renewed = methods.get(self._renewed, (None, None, None))
            if of is not held or by is not self:
                renewed = type(view)(resource).__dict__[self._method]
                methods[self._renewed] = held, self, renewed
            return renewed
        except Exception as exc:
            errors.log_internal_error(exc, "capture.renew")
        return held

    def _resource_to_bind(self, method: Any) -> Any:
        """Return whose method a view should have in place of ``method``, if any.

        Only what openai made itself of the very method that was patched is replaced:
        whatever else somebody put on a view, or on the class beneath it, is theirs.
        """
        if type(method) is not FunctionType:
            return None
        if not str(method.__globals__.get("__name__")).startswith("openai."):
            return None
        bound = getattr(method, "__wrapped__", None)
        function = getattr(bound, "__func__", None)
        if type(bound) is not MethodType:
            function = getattr(bound, "_self_parent", None)
            if getattr(function, "_self_wrapper", None) is self._wrapper:
                return None  # It is up to date.
        resource = getattr(bound, "__self__", None)
        if not isinstance(resource, self._owner) or self._method in vars(resource):
            return None
        return resource if _strip_patches(function) is self._original else None


def _strip_patches(function: Any) -> Any:
    """Return what our patches wrap."""
    while isinstance(function, PatchedMethod):
        function = function.__wrapped__
    return function
