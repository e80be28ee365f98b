"""Make the demo model: everything from the pictures to the folder, with one command.

Each part keeps a checkpoint in the cache and goes on from it when started again; a finished part
is not trained again. The cache with the two archives in it (23 MB) is all that a machine
without network needs.
"""

import argparse
import logging
import math
from pathlib import Path

import numpy as np
import torch

from training import export, score, sheet
from training.data import CACHE, HERE, chosen_labels, load_clean, on_white
from training.loop import Plan
from training.recipe import Recipe, material, train_decoder, train_denoiser

PARTS = ("decoder", "denoiser", "export", "score")


def recipe(asked: argparse.Namespace, names: int) -> Recipe:
    """What was asked for on the command line."""
    steps = math.ceil(asked.passes * names / asked.batch)
    return Recipe(
        start=Plan(500, 3e-3, warm_up=30),
        decoder=Plan(asked.decoder_steps, 1.5e-3, asked.minutes, warm_up=50, flat=0.2, decay=0.998),
        denoiser=Plan(
            steps, asked.rate, asked.minutes, warm_up=200, flat=0.7, every=asked.report * 60
        ),
        batch=asked.batch,
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, choices=[*PARTS, []], help="all of them")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--folder", type=Path, default=sheet.FOLDER, help="where the model goes")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--names", type=int, help="only so many, the favourites first")
    parser.add_argument("--passes", type=float, default=500, help="times that each name is seen")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--decoder-steps", type=int, default=12000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="at most so many a part")
    parser.add_argument("--report", type=float, default=5, help="minutes between previews")
    asked = parser.parse_args()
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("--device cuda: torch finds no such device here; take --device cpu")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(asked.threads)
    labels = chosen_labels()
    favourites = (HERE / "favourites.txt").read_text().splitlines()
    chosen = sorted(labels, key=lambda label: label not in favourites)[: asked.names]
    try:
        found = material(load_clean(asked.cache), chosen, favourites)
    except ValueError as error:
        parser.error(str(error))
    plans, device = recipe(asked, len(chosen)), torch.device(asked.device)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    if "decoder" in asked.parts:
        train_decoder(found, asked.cache, plans, device)
    if "denoiser" in asked.parts:
        train_denoiser(found, asked.cache, plans, device)
    if "export" in asked.parts:
        export.export(found, asked.cache, plans, asked.folder)
        if asked.folder == sheet.FOLDER and not asked.names:
            by_label = {one.label: on_white(one.rgba) for one in found.named}
            score.save_references(np.stack([by_label[label] for label in labels]))
    if "score" in asked.parts:
        for line in sheet.measure(sheet.load(asked.folder), found.named, found.favourites):
            logging.info(line)


if __name__ == "__main__":
    main()
