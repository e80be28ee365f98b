"""Workflow files: read, changed from the command line, named for people."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

from engine.cli.config import UsageError
from engine.client import Client, Refused
from engine.graph.prompt import normal
from engine.graph.workflow import is_workflow

Prompt: TypeAlias = dict[str, dict[str, Any]]


async def brought(path: Path, client: Client) -> tuple[dict[str, Any], list[str]]:
    """What is in a file of any kind, pictures included.

    Returns:
        a prompt in API format, or what the editor saves; and what of the file could not be taken
        over, in sentences.

    Raises:
        UsageError: no such file, or there is no workflow in it.
    """
    if holds_json(path):
        return load(path), []
    data = await asyncio.to_thread(_read, path)
    try:
        return await client.open_file(data)
    except Refused as refused:
        raise UsageError(f"{path}: {refused}") from refused


def holds_json(path: Path) -> bool:
    """Whether a file begins like JSON.

    Raises:
        UsageError: no such file.
    """
    return _read(path).lstrip()[:1] in (b"{", b"[")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _document(path: Path, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid JSON: {error}") from error


def load(path: Path) -> dict[str, Any]:
    """What is in a workflow file: a prompt in API format, or what the editor saves.

    Raises:
        UsageError: no such file, no JSON, or in neither format.
    """
    data = _document(path, _read(path))
    if not is_workflow(data) and not _is_prompt(data):
        raise UsageError(
            f"{path} is no workflow: neither a file of the editor nor one in API format, an "
            "object of node ids, each with a class_type and inputs"
        )
    return cast("dict[str, Any]", data)


def _is_prompt(data: Any) -> bool:
    if not isinstance(data, dict) or not data:
        return False
    nodes = cast("dict[str, Any]", data).values()
    return all(isinstance(node, dict) and "class_type" in node for node in nodes)


def change(prompt: Prompt, changes: Iterable[str]) -> None:
    """Set inputs: "3.seed=7". A value that is no JSON is a string.

    Raises:
        UsageError: the change is not of that form, or there is no such node.
    """
    for text in changes:
        name, equals, value = text.partition("=")
        node, _, input = name.partition(".")
        if not (equals and node and input):
            raise UsageError(f"--set {text!r} is not of the form NODE.INPUT=VALUE (3.seed=7)")
        if node not in prompt:
            known = ", ".join(f"{id} ({title})" for id, title in titles(prompt).items())
            raise UsageError(f"--set {text!r}: there is no node {node!r}; there are {known}")
        prompt[node] = normal(prompt[node])
        prompt[node]["inputs"] = {**prompt[node]["inputs"], input: _value(value)}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def titles(prompt: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What people call the nodes: the title given in the editor, else the kind of node."""
    named: dict[str, str] = {}
    for id, node in prompt.items():
        match node:
            case {"_meta": {"title": str() as title}} if title:
                named[id] = title
            case _:
                named[id] = str(node.get("class_type", id))
    return named
