"""`soundstage convert`: the graph in a file, as a prompt in API format or for the editor."""

from __future__ import annotations

import asyncio
import json
import sys

from engine.cli.config import Convert, UsageError
from engine.cli.run import address
from engine.cli.workflow import brought
from engine.client import Client, Refused
from engine.graph.workflow import is_workflow


async def convert(command: Convert) -> int:
    """Show or save the graph in a file; returns 0.

    Raises:
        SoundstageError: the file cannot be used, or the service does not answer.
    """
    async with address(command.server, command.home) as url, Client(url) as client:
        document, notes = await brought(command.file, client)
        try:
            if command.editor and not is_workflow(document):
                document, _ = await client.open_file(json.dumps(document).encode())
            elif not command.editor and is_workflow(document):
                document = await client.convert(document)
        except Refused as refused:
            raise UsageError(f"{command.file}: {refused}") from refused
    for note in notes:
        print(note, file=sys.stderr)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if command.out is None:
        print(text)
        return 0
    try:
        await asyncio.to_thread(command.out.write_text, text + "\n")
    except OSError as error:
        raise UsageError(f"{command.out} cannot be written: {error.strerror}") from error
    return 0
