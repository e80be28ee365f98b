"""Nodes as object_info describes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from engine.authoring.markers import Choice, Files, Range, Slots
from engine.authoring.spec import MISSING, Input, NodeSpec, Variant

MATCHING = "COMFY_MATCHTYPE_V3"
"""The type of inputs that must get values of one type, whichever."""

FileLister = Callable[[Files], list[str]]


def input_config(input: Input, files: FileLister) -> list[Any]:
    """One input as object_info has it: ``["INT", {"default": 512, "min": 1}]``."""
    if input.object_info is not None:
        return input.object_info
    options = _options(input)
    if input.variants:
        return [input.type, {"options": [_variant(v, files) for v in input.variants]} | options]
    if input.slots is not None and input.slot is not None:
        return [input.type, {"template": _template(input.slots, input.slot, files)} | options]
    if input.match is not None:
        allowed = {"template_id": input.match, "allowed_types": input.type}
        return [MATCHING, {"template": allowed} | options]
    if input.choice is not None:
        return [_offered(input.choice, files), options]
    return [input.type, options]


def _offered(choice: Choice, files: FileLister) -> list[str]:
    options = choice.options
    return files(options) if isinstance(options, Files) else list(options)


def _variant(variant: Variant, files: FileLister) -> dict[str, Any]:
    """An option of a choice, and the inputs that it brings."""
    return {"key": variant.key, "inputs": _grouped(variant.inputs, files)}


def _grouped(inputs: Iterable[Input], files: FileLister) -> dict[str, dict[str, Any]]:
    """Inputs in the newer form, in which a list of options is itself an option."""
    groups: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
    for input in inputs:
        config = input_config(input, files)
        if input.choice is not None:
            config = ["COMBO", {"options": config[0], **config[1]}]
        groups["optional" if input.optional else "required"][input.name] = config
    return groups


def _template(slots: Slots, slot: Input, files: FileLister) -> dict[str, Any]:
    """What slots can grow, and how many there must be."""
    template: dict[str, Any] = {"input": _grouped([slot], files), "min": slots.min}
    if isinstance(slots.names, str):
        return template | {"prefix": slots.names, "max": slots.max}
    return template | {"names": list(slots.names)}


def _options(input: Input) -> dict[str, Any]:
    options: dict[str, Any] = {} if input.custom is None else dict(input.custom.options)
    if input.default is not MISSING:
        options["default"] = input.default
    if input.range is not None:
        options |= _limits(input.range)
    if input.choice is not None and isinstance(input.choice.options, Files):
        folder = input.choice.options.folder
        options |= {} if folder in ("input", "output") else {"model_folder": folder}
    flags = {
        "multiline": input.text is not None and input.text.multiline,
        "dynamicPrompts": input.text is not None and input.text.dynamic_prompts,
        "control_after_generate": input.seed,
        f"{input.upload}_upload": input.upload is not None,
        "lazy": input.lazy,
        "forceInput": input.link_only,
        "advanced": input.advanced,
    }
    options |= {name: True for name, holds in flags.items() if holds}
    if input.tooltip is not None:
        options["tooltip"] = input.tooltip
    return options


def _limits(range: Range) -> dict[str, Any]:
    limits: dict[str, Any] = {"min": range.min, "max": range.max}
    if range.step is not None:
        limits["step"] = range.step
    if range.round is not None:
        limits["round"] = range.round
    return limits


def node_info(spec: NodeSpec, files: FileLister) -> dict[str, Any]:
    """One entry of object_info."""
    if spec.object_info is not None:
        return dict(spec.object_info)
    listed = [input for input in spec.inputs if not input.unlisted]
    required = [input for input in listed if not input.optional]
    optional = [input for input in listed if input.optional]
    inputs = {"required": {input.name: input_config(input, files) for input in required}}
    order = {"required": [input.name for input in required]}
    if optional:
        inputs["optional"] = {input.name: input_config(input, files) for input in optional}
        order["optional"] = [input.name for input in optional]
    info: dict[str, Any] = {
        "input": inputs,
        "input_order": order,
        "output": [output.type for output in spec.outputs],
        "output_is_list": [output.each for output in spec.outputs],
        "output_name": [output.name for output in spec.outputs],
        "name": spec.id,
        "display_name": spec.display_name,
        "description": spec.description,
        "python_module": spec.origin,
        "category": spec.category,
        "output_node": spec.is_output,
    }
    if unlisted := {i.name: input_config(i, files) for i in spec.inputs if i.unlisted}:
        info["input_unlisted"] = unlisted
    if any(input.collects for input in spec.inputs):
        info["is_input_list"] = True
    if spec.deprecated:
        info["deprecated"] = True
    if spec.experimental:
        info["experimental"] = True
    return info
