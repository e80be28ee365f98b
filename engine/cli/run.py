"""`soundstage run`: a workflow file in, the files it makes out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from engine.cli.config import Run
from engine.cli.follow import follow, print_end, print_refusal
from engine.cli.service import service
from engine.cli.workflow import Prompt, brought, change, holds_json, load
from engine.client import Client, Refused
from engine.graph.workflow import is_workflow


async def run(command: Run) -> int:
    """Run a workflow; returns 0 when it succeeded, 1 when it failed, 2 when it was refused.

    Raises:
        SoundstageError: the file cannot be used, or the service does not answer.
    """
    if holds_json(command.workflow):
        load(command.workflow)  # errors are shown before a service starts
    console = Console(stderr=True)
    async with address(command.server, command.home) as url, Client(url) as client:
        document, notes = await brought(command.workflow, client)
        for note in notes:
            console.print(note, style="yellow", markup=False, highlight=False)
        workflow = document if is_workflow(document) else None
        prompt: Prompt = {} if workflow is not None else document
        try:
            if workflow is not None:
                prompt = await client.convert(workflow)
            change(prompt, command.changes)
            result = await follow(client, prompt, console, workflow)
        except Refused as refused:
            print_refusal(refused, prompt, console)
            return 2
        if not print_end(result, prompt, console):
            return 1
        for path in await client.save(result, command.out):
            print(path)
    return 0


@asynccontextmanager
async def address(server: str | None, home: Path) -> AsyncGenerator[str]:
    """The address of a service: the one that was named, else that of a home, which may start."""
    if server is not None:
        yield server
        return
    async with service(home) as url:
        yield url
