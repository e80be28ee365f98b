"""Which of a node's arguments are models that a lane must lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.run.invocation import residents


@dataclass
class WithFields:
    """A handle whose facts are plain fields."""

    base: str
    key: str
    nbytes: int

    def load(self, device: str) -> object:
        raise NotImplementedError

    def bind(self, loaded: object) -> None:
        raise NotImplementedError


class WithProperties:
    """A handle whose facts cost something."""

    @property
    def base(self) -> str:
        raise OSError("not to be read just to see what it is")

    key = nbytes = base

    def load(self, device: str) -> object:
        raise NotImplementedError

    def bind(self, loaded: object) -> None:
        raise NotImplementedError


def test_handles_are_found_however_they_are_written():
    fields, properties = WithFields("a", "a", 1), WithProperties()
    arguments: dict[str, Any] = {
        "one": fields,
        "two": properties,
        "many": [fields, "no", properties],
        "number": 3,
        "nothing": None,
        "pairs": [(fields, {})],
        "kind": WithFields,
    }
    assert residents(arguments) == [fields, properties, fields, properties]


@dataclass
class Control:
    """A value that needs a model, as a conditioning holds it."""

    handles: tuple[WithFields, ...] = ()


def test_models_that_values_bring_along_are_leased_by_who_computes_with_them():
    model, net, second = (WithFields(name, name, 1) for name in "abc")
    arguments: dict[str, Any] = {
        "model": model,
        "positive": [("text", {"control": Control((net,))}), ("text", {"x": [Control((second,))]})],
        "guider": Control(),
        "empty": Control,
    }
    assert residents(arguments) == [model]
    assert residents(arguments, deep=True) == [model, net, second]
