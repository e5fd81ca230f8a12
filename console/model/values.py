"""A `dataclass` that writes its methods when they are first called: a start defines 170 classes and needs few of them.

It means what `dataclasses.dataclass` means, which compiles up to six methods of each class: half a millisecond.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from dataclasses import Field
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, /, **asked):
        """Return the class as a dataclass; what only the standard library can do is left to it."""
        if cls is None:
            return lambda given: dataclass(given, **asked)
        if _is_plain(cls, asked):
            return _lazy(cls, asked)
        return dataclasses.dataclass(cls, **asked)


_OPTIONS = frozenset(("frozen", "eq", "slots"))
_WRITTEN = frozenset(("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__", "__getstate__"))
_NOT_GIVEN = object()


def _is_plain(cls: type, asked: dict[str, bool]) -> bool:
    """Return whether a class stands alone, writes none of the methods itself and asks for nothing unusual."""
    return (
        asked.keys() <= _OPTIONS
        and cls.__bases__ == (object,)
        and not _WRITTEN & vars(cls).keys()
        and all(_is_usual(name, vars(cls).get(name), kind) for name, kind in _annotations(cls).items())
    )


def _annotations(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = vars(cls).get("__annotations__", {})
    return found


def _is_usual(name: str, value: Any, kind: Any) -> bool:
    if isinstance(value, dataclasses.Field):
        return bool(value.init) and value.kw_only in (False, dataclasses.MISSING) and value.hash is None
    return isinstance(kind, str) and "InitVar" not in kind and "KW_ONLY" not in kind and "ClassVar" not in kind


def _lazy(cls: type, asked: dict[str, bool]) -> type:
    if cls.__doc__ is None:
        cls.__doc__ = cls.__name__  # else the standard library works a signature out, at a millisecond
    frozen, eq, slots = asked.get("frozen", False), asked.get("eq", True), asked.get("slots", False)
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    made.__init__ = _written_later(made, "__init__", lambda: _init(made, frozen))
    made.__repr__ = _written_later(made, "__repr__", lambda: _repr(made))
    if eq:
        made.__eq__ = _written_later(made, "__eq__", lambda: _eq(made))
        made.__hash__ = _written_later(made, "__hash__", lambda: _hash(made)) if frozen else None
    if frozen:
        made.__setattr__, made.__delattr__ = _refusals(made)
        if slots:
            made.__getstate__, made.__setstate__ = _state, _set_state
    said = made.__dataclass_params__
    said.init, said.repr, said.eq, said.frozen = True, True, eq, frozen
    return cls if not slots else made


def _written_later(cls: type, name: str, write: Callable[[], Any]) -> Any:
    """Return a method that puts the written one in its place when it is first called."""

    def method(*args: Any, **kwargs: Any) -> Any:
        written = write()
        written.__qualname__ = method.__qualname__
        written.__module__ = cls.__module__
        setattr(cls, name, written)
        return written(*args, **kwargs)

    method.__name__, method.__qualname__, method.__module__ = name, f"{cls.__qualname__}.{name}", cls.__module__
    return method


def _compiled(name: str, parameters: Iterable[str], body: Iterable[str], known: dict[str, Any]) -> Any:
    lines = "\n ".join(body)
    exec(f"def {name}({', '.join(parameters)}):\n {lines}", known)
    return known[name]


def _init(cls: type, frozen: bool) -> Any:
    known: dict[str, Any] = {"_set": object.__setattr__, "_NOT_GIVEN": _NOT_GIVEN}
    parameters, body = [], []
    for field in dataclasses.fields(cls):
        name = field.name
        value, default = name, ""
        if field.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = field.default
            default = f"=_default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = field.default_factory
            default = "=_NOT_GIVEN"
            value = f"_make_{name}() if {name} is _NOT_GIVEN else {name}"
        parameters.append(name + default)
        body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    return _compiled("__init__", ["self", *parameters], body or ["pass"], known)


def _tuple_of(fields: Iterable[Field[Any]], owner: str) -> str:
    return "(" + "".join(f"{owner}.{field.name}, " for field in fields) + ")"


def _eq(cls: type) -> Any:
    compared = [field for field in dataclasses.fields(cls) if field.compare]
    mine, other = _tuple_of(compared, "self"), _tuple_of(compared, "other")
    body = (f"if other.__class__ is self.__class__: return {mine} == {other}", "return NotImplemented")
    return _compiled("__eq__", ("self", "other"), body, {})


def _hash(cls: type) -> Any:
    compared = _tuple_of((field for field in dataclasses.fields(cls) if field.compare), "self")
    return _compiled("__hash__", ("self",), (f"return hash({compared})",), {})


def _repr(cls: type) -> Any:
    from reprlib import recursive_repr

    names = [field.name for field in dataclasses.fields(cls) if field.repr]

    def tell(self: Any) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({told})"

    return recursive_repr("...")(tell)


def _refusals(cls: Any) -> tuple[Any, Any]:
    """Return what forbids to set and to delete fields."""
    names = frozenset(field.name for field in dataclasses.fields(cls))

    def refuse_to_set(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def refuse_to_delete(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return refuse_to_set, refuse_to_delete


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
