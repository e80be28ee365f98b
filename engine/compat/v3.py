"""Nodes of the newer kind (V3: a schema and class methods) as V1 classes."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine.authoring.protocols import Blocked
from engine.compat.call import CURRENT
from engine.compat.declared import Misdeclared
from engine.compat.injected import hidden_value
from engine.compat.plain import text
from engine.compat.standins.comfy_io import ComfyNode, HiddenHolder, NodeOutput, Schema


def newer_classes(entrypoint: Callable[[], Any]) -> dict[str, Any]:
    """The nodes of a pack's `comfy_entrypoint`, by id, as V1 classes.

    Raises:
        Misdeclared: it gives no nodes.
        Exception: whatever the pack's code raises.
    """
    with ThreadPoolExecutor(1) as aside:  # this thread may have an event loop already
        kinds = aside.submit(asyncio.run, _listed(entrypoint)).result()
    return dict(_node(kind) for kind in kinds)


def _node(kind: Any) -> tuple[str, Any]:
    """A node; one that cannot declare itself is reported like such a V1 class."""
    try:
        id, made = as_v1(kind)
        return text(id), made
    except Exception as error:  # noqa: BLE001 - a pack may fail in any way
        id, failure = getattr(kind, "__name__", type(kind).__name__), error

    def input_types(_: type) -> None:
        raise failure

    members: dict[str, Any] = {"FUNCTION": "run", "run": input_types, "DISPLAY_NAME": None}
    return id, type("Broken", (), {**members, "INPUT_TYPES": classmethod(input_types)})


async def _listed(entrypoint: Callable[[], Any]) -> list[type[ComfyNode]]:
    extension: Any = entrypoint()
    if inspect.isawaitable(extension):
        extension = await extension
    if not hasattr(extension, "get_node_list"):
        raise Misdeclared("has a comfy_entrypoint that returns no ComfyExtension")
    if hasattr(extension, "on_load"):
        await extension.on_load()
    return list(await extension.get_node_list())


def as_v1(kind: Any) -> tuple[str, Any]:
    """The id of a node, and a V1 class that runs it.

    Raises:
        Misdeclared: it is no node of the newer kind.
    """
    if not (isinstance(kind, type) and issubclass(kind, ComfyNode)):
        raise Misdeclared(f"has {kind!r} among its nodes, which is no io.ComfyNode")
    schema = kind.define_schema()
    members: dict[str, Any] = {
        "__module__": kind.__module__,
        "__doc__": kind.__doc__,
        "FUNCTION": "run",
        "FILLS_HIDDEN": True,
        "INPUT_TYPES": classmethod(lambda _: kind.define_schema().input_types()),
        "run": _runner(kind, schema),
        **_facts(schema),
    }
    for hook, method in HOOKS.items():
        if hasattr(kind, method):
            members[hook] = staticmethod(getattr(kind, method))
    return schema.node_id, type(kind.__name__, (), members)


HOOKS = {
    "IS_CHANGED": "fingerprint_inputs",
    "VALIDATE_INPUTS": "validate_inputs",
    "check_lazy_status": "check_lazy_status",
}


def _facts(schema: Schema) -> dict[str, Any]:
    outputs = tuple(schema.outputs or ())
    return {
        "DISPLAY_NAME": schema.display_name,
        "CATEGORY": schema.category,
        "DESCRIPTION": schema.description,
        "RETURN_TYPES": tuple(output.io_type for output in outputs),
        "RETURN_NAMES": tuple(output.display_name or output.io_type for output in outputs),
        "OUTPUT_TOOLTIPS": tuple(output.tooltip for output in outputs),
        "OUTPUT_IS_LIST": tuple(output.is_output_list for output in outputs),
        "OUTPUT_NODE": schema.is_output_node,
        "INPUT_IS_LIST": schema.is_input_list,
        "DEPRECATED": schema.is_deprecated,
        "EXPERIMENTAL": schema.is_experimental,
        "API_NODE": schema.is_api_node,
        "NOT_IDEMPOTENT": schema.not_idempotent or "UNIQUE_ID" in map(str, schema.hidden or ()),
    }


def _runner(kind: type[ComfyNode], schema: Schema) -> Callable[..., Any]:
    """The V1 function; async if `execute` is."""
    asked = [str(name) for name in schema.hidden or ()]

    def run(_: Any, **given: Any) -> Any:
        return _returned(_for_call(kind, asked).execute(**given), schema)

    async def run_async(_: Any, **given: Any) -> Any:
        return _returned(await _for_call(kind, asked).execute(**given), schema)

    return run_async if inspect.iscoroutinefunction(kind.execute) else run


def _for_call(kind: type[ComfyNode], asked: Iterable[str]) -> type[ComfyNode]:
    """The class with what is hidden in it, for one call."""
    call = CURRENT.get()
    values = {name.lower(): hidden_value(name, call.run) for name in asked} if call else {}
    return type(kind.__name__, (kind,), {"hidden": HiddenHolder(values)})


def _returned(value: Any, schema: Schema) -> Any:
    """What `execute` returned, as a V1 function returns it."""
    if not isinstance(value, NodeOutput):
        return () if value is None and not schema.outputs else value
    blocked = value.block_execution
    members = {
        "result": (value.args or None) if blocked is None else Blocked(blocked),
        "ui": value.ui.as_dict() if hasattr(value.ui, "as_dict") else value.ui,
        "expand": value.expand,
    }
    return {name: member for name, member in members.items() if member is not None}
