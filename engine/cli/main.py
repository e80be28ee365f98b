"""`soundstage`: hands each command to its module, which is imported only then."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from engine.authoring.errors import SoundstageError
from engine.cli.config import (
    Command,
    Convert,
    Demo,
    Doctor,
    InspectModel,
    ListModels,
    Nodes,
    PullModel,
    Run,
    Serve,
    UsageError,
    parse,
)

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0 good, 1 failed, 2 wrong input, 130 Ctrl-C."""
    command = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        return _do(command)
    except SoundstageError as error:
        print(f"soundstage: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _do(command: Command) -> int:
    match command:
        case Serve():
            from engine.cli.serve import serve

            return asyncio.run(serve(command))
        case Run():
            from engine.cli.run import run

            return asyncio.run(run(command))
        case Convert():
            from engine.cli.convert import convert

            return asyncio.run(convert(command))
        case Demo():
            from engine.cli.demo import demo

            return asyncio.run(demo(command))
        case ListModels():
            from engine.cli.models import list_models

            return list_models(command)
        case InspectModel():
            from engine.cli.inspect_model import inspect_model

            return inspect_model(command)
        case PullModel():
            from engine.cli.models import pull_model

            return pull_model(command)
        case Nodes():
            from engine.cli.nodes import nodes

            return nodes(command)
        case Doctor():
            from engine.cli.doctor import doctor

            return asyncio.run(doctor(command))
