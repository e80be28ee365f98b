"""Normalizes a submitted or converted prompt, so that what runs is plain data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from engine.authoring.registry import Registry
from engine.graph.dynamic_prompts import chosen, dynamic_texts, numbers, seed_of
from engine.graph.errors import PromptError
from engine.graph.file_names import NAME_FOR_REPLACING, Names, name_files
from engine.graph.old_files import present_type, present_value
from engine.graph.subgraphs import expand_subgraphs
from engine.graph.workflow import is_workflow


def normalize(
    prompt: Mapping[str, Any], registry: Registry, workflow: Any = None, *, choose: bool
) -> dict[str, Any]:
    """The prompt with today's names of types and options, file names filled in, texts chosen.

    Args:
        prompt: in API format, not checked yet; entries that are no nodes stay as they are.
        registry: the nodes there are.
        workflow: the editor's file that it was made of, if that is known: names of nodes.
        choose: whether texts of widgets that say they are dynamic make their choices; see
            `dynamic_prompts`. Those of clients that have done so already must not.
    """
    made = {id: _copied(entry) for id, entry in prompt.items()}
    seed = seed_of(made) if choose else 0
    for id, entry in made.items():
        if not _is_node(entry):
            continue
        inputs: dict[str, Any] = entry["inputs"]
        entry["class_type"] = present_type(entry["class_type"], registry)
        spec = registry.get(entry["class_type"])
        if spec is None:
            continue
        for name, value in inputs.items():
            input = spec.by_name.get(name) if isinstance(value, str | bool) else None
            if input is not None and input.choice is not None:
                inputs[name] = present_value(input, value)
        for name in dynamic_texts(spec, inputs) if choose else ():
            inputs[name] = chosen(inputs[name], numbers(seed, id, name))
    now = datetime.now().astimezone()
    name_files(made, registry, now, lambda: names_of(workflow, registry))
    return made


def names_of(workflow: Any, registry: Registry) -> Names:
    """What the nodes of a prompt are called for the names of files, as their workflow says."""
    if not is_workflow(workflow):
        return {}
    try:
        walk = [*expand_subgraphs(workflow, registry).walk()]
    except PromptError:  # the prompt is what runs
        return {}
    names = {
        sheet.prefix + node.key: node.properties.get(NAME_FOR_REPLACING) for sheet, node in walk
    }
    return {id: name for id, name in names.items() if isinstance(name, str) and name}


def _copied(entry: Any) -> Any:
    if not _is_node(entry):
        return entry
    node = cast("dict[str, Any]", entry)
    return {**node, "inputs": {**node["inputs"]}}


def _is_node(entry: Any) -> bool:
    match entry:
        case {"class_type": str(), "inputs": dict()}:
            return True
        case _:
            return False
