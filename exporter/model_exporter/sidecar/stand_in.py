"""Objects that stand in for others: to whoever holds one, it is the object itself.

Attributes, special methods and `isinstance` go to the object; a subclass overrides the few methods
that it has to see.
"""

import weakref
from collections.abc import Callable
from typing import Any, TypeVar, cast

S = TypeVar("S", bound="StandIn")

INNER = "_model_exporter_inner"

NOT_FORWARDED = frozenset(
    {"__new__", "__init__", "__init_subclass__", "__subclasshook__", "__class_getitem__"}
    | {"__class__", "__getattribute__", "__getattr__", "__setattr__", "__delattr__", "__dir__"}
    | {"__del__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__sizeof__"}
    | {"__get__", "__set__", "__delete__", "__set_name__", "__prepare__", "__call__"}
)
"""Special methods of the object that are about the object alone, or that `StandIn` defines."""

_classes: "weakref.WeakKeyDictionary[type, dict[type, type]]" = weakref.WeakKeyDictionary()
"""Special methods are looked up in the class, so every class that is stood in for needs its own."""


class StandIn:
    """Stands in for `inner`; `isinstance` says that it is one of the same class."""

    __slots__ = (INNER, "__weakref__")

    def __init__(self, inner: Any) -> None:
        object.__setattr__(self, INNER, inner)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return inner_of(self).__class__

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return inner_of(self).__dict__

    def __getattr__(self, name: str) -> Any:
        return getattr(inner_of(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(inner_of(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(inner_of(self), name)

    def __dir__(self) -> Any:
        return dir(inner_of(self))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return inner_of(self).__reduce_ex__(protocol)


def inner_of(stand_in: StandIn) -> Any:
    """Return the object behind a stand-in."""
    return object.__getattribute__(stand_in, INNER)


def stand_in(base: type[S], inner: Any) -> type[S]:
    """Return the subclass of `base` that has the special methods of `inner`, to be called."""
    kind = type(inner)
    made = _classes.setdefault(kind, {})
    if base not in made:
        made[base] = _make(base, kind)
    return cast(type[S], made[base])


def _make(base: type, kind: type) -> type:
    ours = {name for each in base.__mro__[:-1] for name in vars(each)}
    namespace: dict[str, Any] = {"__slots__": (), "__doc__": kind.__doc__}
    for name in dir(kind):
        if not (name.startswith("__") and name.endswith("__")) or name in ours | NOT_FORWARDED:
            continue
        method = getattr(kind, name, None)
        if callable(method):
            namespace[name] = _forward(name)
        elif method is None:  # as in `__hash__ = None`
            namespace[name] = None
    if hasattr(kind, "__call__") and "__call__" not in ours:  # noqa: B004 - of the class itself
        namespace["__call__"] = _forward("__call__")
    return type(kind.__name__, (base,), namespace)


def _forward(name: str) -> Callable[..., Any]:
    def method(self: StandIn, *args: Any, **kwargs: Any) -> Any:
        inner = inner_of(self)
        result = getattr(type(inner), name)(inner, *args, **kwargs)
        return self if result is inner else result  # as `__enter__` and `__iadd__` do

    method.__name__ = name
    return method
