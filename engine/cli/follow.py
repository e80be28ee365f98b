"""A running workflow on the terminal: a bar for each node, then how it ended."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from engine.cli.workflow import Prompt, titles
from engine.client import Client, ClientError, Refused, Result, Update
from engine.run.events import NodeFinished, NodeProgress, NodeStarted

CANCEL_SECONDS = 60.0  # a second Ctrl-C ends it at once
NO_CHOICE = "not in []"


class Bars:
    """A bar for each node that runs, named as in the editor."""

    def __init__(self, progress: Progress, titles: Mapping[str, str]) -> None:
        self._progress = progress
        self._titles = titles
        self._bars: dict[str, TaskID] = {}

    def show(self, update: Update) -> None:
        """Move the bar that an update is about."""
        match update:
            case NodeStarted(node):
                self._progress.reset(self._bar(node))
            case NodeProgress(node, value, total):
                note = f"{value}/{total}"
                self._progress.update(self._bar(node), completed=value, total=total, note=note)
            case NodeFinished(node, cached):
                bar = self._bar(node)
                total = self._progress.tasks[bar].total or 1
                if cached:
                    self._progress.update(bar, note="from the cache")
                self._progress.update(bar, completed=total)
                self._progress.stop_task(bar)
            case _:
                pass

    def stop(self) -> None:
        """Leave the bars as they are."""
        if self._bars:
            self._progress.stop()

    def _bar(self, node: str) -> TaskID:
        if node not in self._bars:
            self._progress.start()
            title = self._titles.get(node, node)
            self._bars[node] = self._progress.add_task(title, total=1, note="")
        return self._bars[node]


async def follow(
    client: Client, prompt: Prompt, console: Console, workflow: Mapping[str, Any] | None = None
) -> Result:
    """Run a prompt with live bars; when cancelled, the job is too.

    Args:
        client: of the service that runs it.
        prompt: in API format.
        console: where the bars are drawn.
        workflow: the editor's file that it was made of, kept in the pictures that come out.

    Raises:
        ClientError: it was refused, or the service went away.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    bars = Bars(Progress(*columns, console=console), titles(prompt))
    extra = {"extra_pnginfo": {"workflow": workflow}} if workflow is not None else None
    job = str(uuid.uuid4())
    try:
        async for update in client.run(prompt, id=job, extra=extra):
            if isinstance(update, Result):
                return update
            bars.show(update)
    except asyncio.CancelledError:
        await _cancel(client, job)
        raise
    finally:
        bars.stop()
    raise AssertionError("a run ends with its result")


async def _cancel(client: Client, job: str) -> None:
    """Stop a job that nobody waits for any more, and see that it has stopped."""
    with suppress(ClientError, TimeoutError):
        async with asyncio.timeout(CANCEL_SECONDS):
            await client.cancel(job)
            while job in (await client.queue())[0]:  # noqa: ASYNC110 - it ends elsewhere
                await asyncio.sleep(0.05)


def print_refusal(refused: Refused, prompt: Prompt, console: Console) -> None:
    """Say why a prompt cannot run, node by node, in the user's words for the nodes."""
    _say(console, f"The workflow cannot run: {refused}")
    nodes: dict[str, dict[str, Any]] = refused.body.get("node_errors", {})
    named = titles(prompt)
    for id, errors in nodes.items():
        for error in errors["errors"]:
            where = f"  node {id} ({named.get(id, errors['class_type'])})"
            _say(console, f"{where}: {error['message']}: {error['details']}")
            if error["details"].endswith(NO_CHOICE):
                _say(console, "    'soundstage models list' shows the models that can be fetched")


def print_end(result: Result, prompt: Prompt, console: Console) -> bool:
    """Say what a job warned of, and why it did not end well; returns whether it did."""
    named = titles(prompt)
    for node, warning in result.warnings:
        _say(console, f"Node {node} ({named.get(node, node)}) warns: {warning}")
    if result.status == "success":
        return True
    failure = result.failure
    if failure is None or not failure.node:
        why = failure.message if failure is not None else f"it ended as {result.status!r}"
        _say(console, f"The workflow failed: {why}")
        return False
    title = named.get(failure.node, failure.node_type)
    verb = "was interrupted" if result.status == "interrupted" else "failed"
    _say(console, f"Node {failure.node} ({title}) {verb}: {failure.message}")
    return False


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
