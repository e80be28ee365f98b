"""Nodes and prompts for the tests of graphs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import pytest

from engine import (
    All,
    Artifact,
    Choice,
    Files,
    Lazy,
    Mentions,
    Range,
    Socket,
    Upload,
    node,
)
from engine.authoring.registry import Registry
from engine.graph.errors import InputError, PromptError
from engine.graph.validate import Valid, validate
from engine.run.engine import plain_config
from engine.store.folders import Folders

if TYPE_CHECKING:
    Image: TypeAlias = str
else:
    Image = Socket("IMAGE")

T = TypeVar("T")
Prompt: TypeAlias = dict[str, Any]


@node("Everything", category="test")
def everything(
    *,
    i: Annotated[int, Range(-5, 2**64 - 1)] = 0,
    f: Annotated[float, Range(-1.5, 100.0)] = 0.5,
    free: int = 0,
    s: str = "",
    b: bool = False,
    c: Annotated[str, Choice(["one", "two"])] = "one",
    maybe: int | None = None,
    image: Image | None = None,
    any: T | None = None,  # pyright: ignore[reportInvalidTypeVarUse] - how any type is spelled
) -> Image:
    """Every kind of input."""
    raise NotImplementedError


@node("Number", category="test")
def number(*, value: int) -> int:
    """A number."""
    raise NotImplementedError


@node("Word", category="test")
def word(*, text: str) -> str:
    """A string; it may enter a choice."""
    raise NotImplementedError


@node("Add", category="test")
def add(*, a: int, b: float) -> int:
    """Two numbers; an INT may enter a FLOAT."""
    raise NotImplementedError


@node("Blank", category="test")
def blank(*, width: Annotated[int, Range(1, 64)]) -> Image:
    """An image."""
    raise NotImplementedError


@node("Blend", category="test")
def blend(*, one: Image, two: Image, strength: float = 0.5) -> Image:
    """An image of two."""
    raise NotImplementedError


@node("Later", category="test")
async def later(*, when: bool, image: Lazy[Image], many: All[Image]) -> Image:
    """A lazy input and a collecting one."""
    raise NotImplementedError


@node("Checkpoint", category="test")
def checkpoint(
    *,
    name: Annotated[str, Choice(Files("checkpoints", marker="model_index.json"))],
    kind: Annotated[str, Choice(["small", "big"])] = "small",
) -> Image:
    """Chooses among files."""
    raise NotImplementedError


@node("Load", category="test")
def load(*, file: Annotated[str, Choice(Files("input")), Upload("image")]) -> Image:
    """Chooses among uploads."""
    raise NotImplementedError


@node("Tell", category="test")
def tell(
    *, text: Annotated[str, Mentions(Files("embeddings", suffixes=(".pt",)), r"embedding:(\S+)")]
) -> Image:
    """A text that may mention files."""
    raise NotImplementedError


@node("Show", category="test")
def show(*, value: T) -> Artifact:  # pyright: ignore[reportInvalidTypeVarUse] - a TypeVar is how any type is spelled
    """An output node."""
    raise NotImplementedError


@node("Save", category="test")
def save(*, images: Image, prefix: str = "x") -> Artifact:
    """An output node that wants an image."""
    raise NotImplementedError


@node("Dice", category="test", pure=False)
def dice(*, sides: int) -> int:
    """Something else each time."""
    raise NotImplementedError


def n(class_type: str, **inputs: Any) -> Prompt:
    """One node of a prompt."""
    return {"class_type": class_type, "inputs": inputs}


def nodes_here() -> Registry:
    """The nodes of this module."""
    registry = Registry()
    specs = [function.spec for function in globals().values() if hasattr(function, "spec")]
    registry.add_nodes(specs)
    for spec in specs:
        match spec.id:
            case "Everything":
                judges = frozenset({"i", "c"})
                changed = replace(
                    spec, id="Judged", validate_inputs=is_fair, validated_inputs=judges
                )
            case "Add":
                changed = replace(spec, id="Takes", takes_more=True, validates_types=True)
            case _:
                continue
        registry.nodes[changed.id] = changed
    return registry


def is_fair(*, i: int | None = None, **_: Any) -> bool | str:
    """A judge of literals that does not like all of them."""
    if i is None:
        return True
    return bool(10 // i) or f"{i} is too large"


class Checker:
    """Validates prompts against one home."""

    def __init__(self, home: Path) -> None:
        self.registry = nodes_here()
        self.folders = Folders(home)
        self.folders.create()

    def __call__(self, prompt: Prompt, targets: list[str] | None = None) -> Valid:
        """What of a prompt can run."""
        return asyncio.run(validate(prompt, self.registry, self.folders, plain_config, targets))

    def refused(self, prompt: Prompt, targets: list[str] | None = None) -> PromptError:
        """The error of a prompt that cannot run."""
        with pytest.raises(PromptError) as caught:
            self(prompt, targets)
        return caught.value

    def coerced(self, **inputs: Any) -> dict[str, Any]:
        """The inputs of an Everything as it would get them."""
        prompt = {"1": n("Everything", **{**REQUIRED, **inputs}), "2": n("Save", **SAVED)}
        return self(prompt).prompt["1"]["inputs"]

    def problem(self, **inputs: Any) -> InputError:
        """The one error of an Everything with these inputs."""
        prompt = {"1": n("Everything", **{**REQUIRED, **inputs}), "2": n("Save", **SAVED)}
        errors = self.refused(prompt).node_errors
        assert list(errors) == ["1"]
        (error,) = errors["1"].errors
        return error


REQUIRED: dict[str, Any] = {"i": 0, "f": 0.5, "free": 0, "s": "", "b": False, "c": "one"}
SAVED: dict[str, Any] = {"images": ["1", 0], "prefix": "x"}


@pytest.fixture
def check(tmp_path: Path) -> Checker:
    """Validation on a fresh home."""
    return Checker(tmp_path)
