"""`soundstage models ...`: what the user asked for, as values."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from engine.cli import values


@dataclass(frozen=True)
class ListModels:
    """`soundstage models list`."""

    home: Path


@dataclass(frozen=True)
class PullModel:
    """`soundstage models pull NAME`."""

    home: Path
    name: str


@dataclass(frozen=True)
class InspectModel:
    """`soundstage models inspect FILE`: what a model file is, by its header alone.

    Attributes:
        path: a file, or a diffusers folder.
        json: print a JSON object.
    """

    path: Path
    json: bool = False


def add_models(
    parser: argparse.ArgumentParser, home: argparse.ArgumentParser
) -> Collection[argparse.ArgumentParser]:
    """Add the actions; their parsers."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", parents=[home], help="what there is and what is here")
    pull = actions.add_parser("pull", parents=[home], help="fetch a model")
    pull.add_argument("name", metavar="NAME", help="as 'models list' shows it")
    inspect = actions.add_parser("inspect", help="say what a model file is and what it needs")
    inspect.add_argument("path", type=values.path, metavar="FILE", help="a file, or a folder")
    inspect.add_argument("--json", action="store_true", help="as a JSON object")
    return actions.choices.values()


def models_command(given: argparse.Namespace) -> ListModels | PullModel | InspectModel:
    """What the command line asks for."""
    if given.action == "pull":
        return PullModel(given.home, given.name)
    if given.action == "inspect":
        return InspectModel(given.path, given.json)
    return ListModels(given.home)
