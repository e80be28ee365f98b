"""Small documents of the editor for tests, and nodes with the widgets they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

from engine import Artifact, Choice, Files, Range, Seed, Socket, Upload, node
from engine.authoring.registry import Registry
from tests.graph.conftest import nodes_here

if TYPE_CHECKING:
    Image: TypeAlias = str
    Model: TypeAlias = str
else:
    Image = Socket("IMAGE")
    Model = Socket("MODEL")

Document: TypeAlias = dict[str, Any]


@node("Sample", category="test")
def sample(
    *,
    model: Model,
    seed: Seed = 0,
    steps: Annotated[int, Range(1, 100)] = 20,
    cfg: float = 8.0,
    method: Annotated[str, Choice(["euler", "heun"])],
    text: str = "",
    hint: Image | None = None,
    strength: float = 1.0,
) -> Image:
    """Sockets among widgets, and a seed."""
    raise NotImplementedError


@node("Tune", category="test")
def tune(*, model: Model, other: Model | None = None, amount: float = 0.5) -> Model:
    """One model out of another."""
    raise NotImplementedError


@node("Find", category="test")
def find(*, name: Annotated[str, Choice(Files("checkpoints"))]) -> Model:
    """A model out of a file."""
    raise NotImplementedError


@node("Open", category="test")
def open_image(
    *,
    image: Annotated[str, Choice(Files("input")), Upload("image")],
    channel: Annotated[str, Choice(["red", "alpha"])] = "red",
) -> Image:
    """An upload with a widget behind it."""
    raise NotImplementedError


@node("Keep", category="test")
def keep(*, images: Image, prefix: str = "x") -> Artifact:
    """The end."""
    raise NotImplementedError


def registry() -> Registry:
    """The nodes above and those of the other graph tests."""
    known = nodes_here()
    known.add_nodes([f.spec for f in (sample, tune, find, open_image, keep)])  # pyright: ignore[reportFunctionMemberAccess] - the decorator sets it
    return known


def box(
    id: int | str,
    type: str,
    values: Any = (),
    inputs: list[Any] | None = None,
    outputs: list[str] | None = None,
    **more: Any,
) -> Document:
    """A node; inputs as (name, type, link) or (name, type, link, "widget")."""
    sockets = [
        {"name": name, "type": type, "link": link} | ({"widget": {"name": name}} if widget else {})
        for name, type, link, *widget in inputs or []
    ]
    return {
        "id": id,
        "type": type,
        "mode": 0,
        "inputs": sockets,
        "outputs": [{"name": name, "type": name, "links": []} for name in outputs or []],
        "properties": {},
        "widgets_values": list(cast("tuple[Any, ...]", values))
        if isinstance(values, tuple)
        else values,
        **more,
    }


def canvas(nodes: list[Document], links: list[Any], **more: Any) -> Document:
    """A workflow."""
    return {"nodes": nodes, "links": links, "groups": [], "version": 0.4, **more}


def wire(id: int, source: int, slot: int, target: int, target_slot: int, type: str) -> Document:
    """A link as it stands in a subgraph."""
    return {
        "id": id,
        "origin_id": source,
        "origin_slot": slot,
        "target_id": target,
        "target_slot": target_slot,
        "type": type,
    }


def subgraph(
    id: str,
    nodes: list[Document],
    links: list[Document],
    inputs: list[tuple[str, str]],
    outputs: list[tuple[str, str]],
) -> Document:
    """A subgraph; -10 and -20 are its inside ends."""
    return {
        "id": id,
        "name": f"the {id}",
        "nodes": nodes,
        "links": links,
        "inputs": [{"name": name, "type": type} for name, type in inputs],
        "outputs": [{"name": name, "type": type} for name, type in outputs],
        "inputNode": {"id": -10},
        "outputNode": {"id": -20},
    }


FIND = box(1, "Find", ("a.safetensors",), outputs=["MODEL"])
SAMPLED: tuple[Any, ...] = (7, "randomize", 12, 3.5, "heun", "a cat", 0.25)


def sampler(id: int, model: int | None, image: int | None = None, **more: Any) -> Document:
    """A Sample whose model comes by link `model`."""
    given: Document = {
        "values": SAMPLED,
        "inputs": [("model", "MODEL", model), ("hint", "IMAGE", image)],
        "outputs": ["IMAGE"],
    }
    return box(id, "Sample", **(given | more))


def keeper(id: int, images: int | None, **more: Any) -> Document:
    """A Keep whose images come by link `images`."""
    return box(id, "Keep", ("out",), [("images", "IMAGE", images)], **more)


SAMPLE_INPUTS: dict[str, Any] = {
    "model": ["1", 0],
    "seed": 7,
    "steps": 12,
    "cfg": 3.5,
    "method": "heun",
    "text": "a cat",
    "strength": 0.25,
}
