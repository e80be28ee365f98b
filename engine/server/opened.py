"""A file that somebody brings, made into a workflow that the editor opens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from msgspec import Struct

from engine.authoring.markers import Files
from engine.authoring.registry import Registry
from engine.graph.canvas import to_workflow
from engine.graph.editor import unusable
from engine.graph.infotext import is_infotext, read_infotext
from engine.graph.metadata import is_invoke, is_swarm, read_invoke, read_swarm
from engine.graph.recipe import Recipe, to_prompt
from engine.graph.workflow import is_workflow
from engine.server.picture_texts import is_picture, picture_texts
from engine.store.folders import Folders

GRAPHS = ("workflow", "prompt")
RECIPES = ("parameters", "invokeai_metadata", "sd-metadata")


class Opened(Struct, frozen=True):
    """A workflow as the editor saves it, and what of the file could not be taken over."""

    workflow: dict[str, Any]
    notes: list[str]


def opened(data: bytes, registry: Registry, folders: Folders) -> Opened:
    """The workflow in a file.

    Args:
        data: JSON of the editor or in API format, a picture that carries either, or one that
            carries, as a text file too, what AUTOMATIC1111's web UI, InvokeAI or SwarmUI wrote.
        registry: the nodes there are.
        folders: the models there are.

    Raises:
        PromptError: there is none.
    """
    for text in _texts(data):
        document = _json(text)
        for found in (document, _member(document, "workflow"), _member(document, "prompt")):
            made = _graph(_json(found) if isinstance(found, str) else found, registry)
            if made is not None:
                return Opened(made, [])
        recipe = _recipe(text, document)
        if recipe is not None:
            return Opened(_drawn(recipe, registry, folders), recipe.notes)
    raise unusable("the file carries no graph, and no text of a program that is known")


def _texts(data: bytes) -> Iterator[str]:
    """The texts of a file, those first that may be graphs."""
    if not is_picture(data):
        yield data.decode("utf-8-sig", errors="replace")
        return
    texts = picture_texts(data)
    first = [texts[name] for name in (*GRAPHS, *RECIPES) if name in texts]
    yield from dict.fromkeys([*first, *texts.values()])


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text.lstrip()[:1] in ("{", "[") else None
    except (ValueError, RecursionError):
        return None


def _member(document: Any, name: str) -> Any:
    return cast("dict[str, Any]", document).get(name) if isinstance(document, dict) else None


def _graph(document: Any, registry: Registry) -> dict[str, Any] | None:
    if is_workflow(document):
        return document
    if not isinstance(document, dict) or not document:
        return None
    nodes = cast("dict[str, Any]", document)
    return to_workflow(nodes, registry) if all(map(_is_node, nodes.values())) else None


def _is_node(node: Any) -> bool:
    match node:
        case {"class_type": str(), "inputs": dict()}:
            return True
        case _:
            return False


def _recipe(text: str, document: Any) -> Recipe | None:
    fields = cast("Mapping[str, Any]", document)
    if is_swarm(document):
        return read_swarm(fields)
    if is_invoke(document):
        return read_invoke(fields)
    return read_infotext(text) if is_infotext(text) else None


def _drawn(recipe: Recipe, registry: Registry, folders: Folders) -> dict[str, Any]:
    """The graph of a recipe, with a note of what is not in it."""

    def offered(type: str, name: str) -> list[str]:
        spec = registry.get(type)
        input = spec.by_name.get(name) if spec is not None else None
        options = input.choice.options if input is not None and input.choice is not None else ()
        return folders.files(options) if isinstance(options, Files) else list(options)

    workflow = to_workflow(to_prompt(recipe, offered), registry)
    if recipe.notes:
        id = workflow["last_node_id"] + 1
        words = "\n".join(["Not taken over from the file:", "", *recipe.notes])
        note: dict[str, Any] = {"id": id, "type": "Note", "widgets_values": [words]}
        note |= {"mode": 0, "flags": {}, "inputs": [], "outputs": [], "properties": {}}
        note |= {"pos": [0, -280], "size": [420, 220], "order": id}
        workflow["nodes"].append(note)
        workflow["last_node_id"] = id
    return workflow
