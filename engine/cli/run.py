"""`soundstage run`: a workflow file in, the files it makes out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from rich.console import Console

from engine.cli.config import Run
from engine.cli.follow import follow, tell_end, tell_refusal
from engine.cli.service import service
from engine.cli.workflow import Prompt, change, load
from engine.client import Client, Refused
from engine.graph.workflow import is_workflow


async def run(command: Run) -> int:
    """Run a workflow; returns 0 when it succeeded, 1 when it failed, 2 when it was refused.

    Raises:
        SoundstageError: the file cannot be used, or the service does not answer.
    """
    document = load(command.workflow)
    workflow = document if is_workflow(document) else None
    prompt: Prompt = {} if workflow is not None else document
    console = Console(stderr=True)
    async with _address(command) as url, Client(url) as client:
        try:
            if workflow is not None:
                prompt = await client.convert(workflow)
            change(prompt, command.changes)
            result = await follow(client, prompt, console, workflow)
        except Refused as refused:
            tell_refusal(refused, prompt, console)
            return 2
        if not tell_end(result, prompt, console):
            return 1
        for path in await client.save(result, command.out):
            print(path)
    return 0


@asynccontextmanager
async def _address(command: Run) -> AsyncGenerator[str]:
    if command.server is not None:
        yield command.server
        return
    async with service(command.home) as url:
        yield url
