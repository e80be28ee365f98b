"""`soundstage demo`: from nothing to a first picture and a first voice."""

from __future__ import annotations

import asyncio
from importlib.resources import as_file, files

from rich.console import Console

from engine.cli.config import Demo
from engine.cli.follow import follow, print_end, print_refusal
from engine.cli.models import pull
from engine.cli.service import service
from engine.cli.workflow import load
from engine.client import Client, Refused

VOICE = "kokoro"


async def demo(command: Demo) -> int:
    """Run the first workflow with everything it needs; prints the paths of what it made.

    Raises:
        SoundstageError: the voice cannot be fetched, or the service does not start.
    """
    console = Console(stderr=True)
    await asyncio.to_thread(pull, VOICE, command.home / "models", console)
    with as_file(files("workflows") / "hello.json") as path:
        workflow = load(path)
    async with service(command.home) as url, Client(url) as client:
        prompt = await client.convert(workflow)
        try:
            result = await follow(client, prompt, console, workflow)
        except Refused as refused:
            print_refusal(refused, prompt, console)
            return 1
    if not print_end(result, prompt, console):
        return 1
    for file in result.files:
        print(command.home / file.type / file.subfolder / file.filename)
    return 0
