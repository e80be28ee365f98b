"""`soundstage nodes`: every node in a table, or one in detail."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from engine.authoring.markers import Files
from engine.authoring.registry import Registry
from engine.authoring.spec import MISSING, Input, NodeSpec
from engine.cli.config import Nodes, UsageError

MOST_CHOICES = 8


def nodes(command: Nodes) -> int:
    """Print the nodes.

    Raises:
        UsageError: there is none of that name.
    """
    registry = Registry.installed(command.packs)
    if command.name is None:
        _print_all(registry)
        return 0
    spec = registry.get(command.name)
    if spec is None:
        raise UsageError(f"there is no node {command.name!r}; 'soundstage nodes' lists them")
    _print_one(spec)
    return 0


def _print_all(registry: Registry) -> None:
    table = Table(box=None)
    table.add_column("node", no_wrap=True)
    table.add_column("category", no_wrap=True)
    table.add_column("what it does")
    for spec in sorted(registry.nodes.values(), key=lambda spec: (spec.category, spec.id)):
        table.add_row(spec.id, spec.category, escape(spec.description))
    console = Console()
    console.print(table)
    for pack, reason in registry.failures.items():
        console.print(f"the pack {pack} could not be imported: {reason}", style="red", markup=False)


def _print_one(spec: NodeSpec) -> None:
    console = Console(highlight=False)
    console.print(f"{spec.id} ({spec.category})", style="bold", markup=False)
    console.print(spec.description, markup=False)
    inputs = Table(
        Column("input", overflow="fold"), "type", "default", "allowed", "about", box=None
    )
    for input in spec.inputs:
        for row in _rows(input, input.name):
            inputs.add_row(*map(escape, row))
    outputs = Table("output", "type", box=None)
    for output in spec.outputs:
        outputs.add_row(output.name, f"list of {output.type}" if output.each else output.type)
    console.print(inputs)
    console.print(outputs if spec.outputs else "It shows files.")


def _rows(input: Input, name: str) -> Iterator[tuple[str, ...]]:
    """An input and, as a prompt names them, those that its options and slots bring."""
    default = "" if input.default is MISSING else repr(input.default)
    kind = f"slots of {input.slot.type}" if input.slot is not None else input.type
    kind = "choice" if input.variants else kind
    optional = ", optional" if input.optional else ""
    yield name, kind + optional, default, _allowed(input), input.tooltip or ""
    for variant in input.variants:
        for child in variant.inputs:
            for *row, about in _rows(child, f"{name}.{child.name}"):
                yield (*row, about or f"with {variant.key}")


def _allowed(input: Input) -> str:
    if input.variants:
        return ", ".join(variant.key for variant in input.variants)
    if input.slots is not None:
        names = input.slots.all()
        return f"{names[0]} to {names[-1]}, at least {input.slots.min}"
    if input.range is not None:
        return f"{input.range.min} to {input.range.max}"
    if input.choice is None:
        return ""
    options = input.choice.options
    if isinstance(options, Files):
        return f"a file of {options.folder}"
    more = f" and {len(options) - MOST_CHOICES} more" if len(options) > MOST_CHOICES else ""
    return ", ".join(options[:MOST_CHOICES]) + more
