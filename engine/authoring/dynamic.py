"""Nodes whose inputs depend on the prompt: each choice's own inputs, slots that grow.

In a prompt such inputs are flat, with dotted names: ``"format": "mp4", "format.codec": "h264"``,
``"images.image0": ["7", 0]``. A node with dynamic inputs is made into one with exactly these; its
function still gets one value for each of its parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.authoring.markers import Choice
from engine.authoring.spec import MISSING, Input, NodeSpec, Variant


def flatten(spec: NodeSpec, given: Mapping[str, Any]) -> NodeSpec:
    """The node as it is for one prompt.

    Args:
        spec: of any node; one without dynamic inputs is returned as it is.
        given: the node's inputs in the prompt, of which only names and choices matter.
    """
    if not spec.is_dynamic:
        return spec
    flat = tuple(part for input in spec.inputs for part in _flat(input, input.name, given))
    names = {part.name for part in flat}

    def call(**arguments: Any) -> Any:
        gathered = {name: value for name, value in arguments.items() if name not in names}
        for input in spec.inputs:
            value = _gathered(input, input.name, arguments)
            if value is not MISSING:
                gathered[input.name] = value
        return spec.function(**gathered)

    return replace(spec, inputs=flat, function=call)


def select_variant(input: Input, key: Any) -> Variant | None:
    """The option of that key, if the input has one."""
    return next((variant for variant in input.variants if variant.key == key), None)


def _flat(input: Input, path: str, given: Mapping[str, Any]) -> Iterator[Input]:
    if input.slots is not None and input.slot is not None:
        for number, name in enumerate(input.slots.all()):
            place = f"{path}.{name}"
            needed = number < input.slots.min and not input.optional
            if needed or place in given:
                yield replace(input.slot, name=place, optional=not needed)
    elif input.variants:
        keys = Choice([variant.key for variant in input.variants])
        yield replace(input, name=path, choice=keys, variants=())
        variant = select_variant(input, given.get(path))
        for child in variant.inputs if variant else ():
            yield from _flat(child, f"{path}.{child.name}", given)
    else:
        yield replace(input, name=path)


def _gathered(input: Input, path: str, arguments: Mapping[str, Any]) -> Any:
    """The value of a parameter or of an option's field; MISSING leaves it to its default."""
    if input.slots is not None:
        places = {name: f"{path}.{name}" for name in input.slots.all()}
        return {name: arguments[place] for name, place in places.items() if place in arguments}
    variant = select_variant(input, arguments.get(path))
    if variant is None:
        return arguments.get(path, MISSING)
    fields = {
        child.name: _gathered(child, f"{path}.{child.name}", arguments) for child in variant.inputs
    }
    return variant.made(**{name: value for name, value in fields.items() if value is not MISSING})
