"""`soundstage models`: what there is, what is here, and fetching the rest."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.table import Table

from engine.cli.config import ListModels, PullModel
from engine.models.catalog import CATALOG
from engine.models.pull import missing_files
from engine.models.pull import pull as pull_files


def list_models(command: ListModels) -> int:
    """Print the catalogue and what of it is in the home."""
    table = Table("name", "model", "size", "licence", "here", box=None)
    for name, model in CATALOG.items():
        missing = missing_files(model, command.home / "models" / model.folder)
        size = sum(file.size for file in model.files)
        state = f"no: soundstage models pull {name}" if missing else "yes"
        table.add_row(name, model.title, f"{size / 1e6:,.0f} MB", model.licence, state)
    Console().print(table)
    return 0


def pull_model(command: PullModel) -> int:
    """Fetch a model and print its files.

    Raises:
        PullError: it cannot be had; the text says what to do.
    """
    for path in pull(command.name, command.home / "models", Console(stderr=True)):
        print(path)
    return 0


def pull(name: str, models: Path, console: Console) -> list[Path]:
    """Make sure that a model is in the models folder, with a bar for each file that comes.

    Raises:
        PullError: it cannot be had; the text says what to do.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    progress = Progress(*columns, console=console)
    bars: dict[str, TaskID] = {}

    def show(file: str, done: int, total: int) -> None:
        progress.start()
        if file not in bars:
            bars[file] = progress.add_task(f"fetching {file}")
        progress.update(bars[file], completed=done, total=total)

    try:
        return pull_files(name, models, show)
    finally:
        if bars:
            progress.stop()
