"""Raw views of a resource that were made before its methods were patched.

``with_raw_response`` and ``with_streaming_response`` bind a resource's methods when
they are made, and their client keeps them. One made before a patch would pass it by for
as long as the client lives, so its methods are bound anew when they are next asked for.
"""

import sys
from types import FunctionType
from typing import Any

from .._util import errors

_SUFFIXES = ("WithRawResponse", "WithStreamingResponse")


class RawViewRefresher:
    """Keeps one method up to date on every view of a resource's class.

    It is a descriptor of the views' classes, where the views themselves hold the method
    as an attribute.
    """

    def __init__(self, owner: type, method: str, wrapper: Any) -> None:
        """Find the views of ``owner``.

        Args:
            owner: The class of the resource.
            method: The method of it that is patched.
            wrapper: The function that the patch runs.
        """
        module = sys.modules.get(owner.__module__)
        found = (getattr(module, owner.__name__ + suffix, None) for suffix in _SUFFIXES)
        self._views = [view for view in found if isinstance(view, type)]
        self._owner = owner
        self._method = method
        self._wrapper = wrapper

    def start(self) -> None:
        """Renew the method on every view from now on."""
        for view in self._views:
            if self._method not in view.__dict__:
                setattr(view, self._method, self)

    def stop(self) -> None:
        """Leave the views as they are, and their classes as they were."""
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
        try:
            resource = self._resource_to_bind(methods[self._method])
            if resource is not None:
                renewed = type(view)(resource)
                methods[self._method] = renewed.__dict__[self._method]
        except Exception as exc:
            errors.log_internal_error(exc, "capture.renew")
        return methods[self._method]

    def _resource_to_bind(self, method: Any) -> Any:
        """Return whose method a view should have in place of ``method``, if any.

        Only what openai made itself is ever replaced: its own wrapper around a
        resource's own method.
        """
        if type(method) is not FunctionType:
            return None
        if not str(method.__globals__.get("__name__")).startswith("openai."):
            return None
        bound = getattr(method, "__wrapped__", None)
        resource = getattr(bound, "__self__", None)
        if not isinstance(resource, self._owner) or self._method in vars(resource):
            return None
        return None if self._is_current(bound) else resource

    def _is_current(self, function: Any) -> bool:
        while function is not None:
            if getattr(function, "_self_wrapper", None) is self._wrapper:
                return True
            function = getattr(function, "__wrapped__", None)
        return False
