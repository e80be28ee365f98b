"""The flags that say which node packs of ComfyUI's kind are loaded."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_custom_nodes(parser: argparse.ArgumentParser) -> None:
    """Add the flags; without one, no pack is loaded."""
    parser.add_argument(
        "--custom-nodes",
        action="append",
        default=[],
        metavar="DIR",
        type=_folder,
        help="folder of node packs written for ComfyUI, which run their own code; repeat",
    )
    parser.add_argument(
        "--disable-all-custom-nodes", action="store_true", help="load none of them this time"
    )


def custom_nodes(given: argparse.Namespace) -> tuple[Path, ...]:
    """What the flags say: folders of packs."""
    return () if given.disable_all_custom_nodes else tuple(given.custom_nodes)


def _folder(text: str) -> Path:
    folder = Path(text).expanduser().absolute()
    if folder.is_dir():
        return folder
    raise argparse.ArgumentTypeError(f"{text!r} is no folder")
