"""Teach the demo model one thing that it does not know by a textual inversion.

Gal et al. 2022, https://arxiv.org/abs/2208.01618: the model stays as it is, and a few vectors in
the place of a word are trained until it draws the thing. `python -m training.inversion LABEL` takes
an emoji that is not in `labels.txt`; "embedding:LABEL" in a prompt then draws it.
"""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

import argparse
import logging
import random
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import (
    save_file,  # pyright: ignore[reportUnknownVariableType] - its PathLike says not of what
)
from torch import Tensor, nn

from training import shipped
from training.data import CACHE, load_clean, on_white
from training.denoiser import TextToLatent, v_loss
from training.loop import Plan, train
from training.sheet import FOLDER

log = logging.getLogger(__name__)

VECTORS = 4
BEGINNING = "bear"  # the word whose vector all begin with
PHRASES = ("{}", "a {}", "a picture of a {}", "{} on white")


class Inversion(nn.Module):
    """The model with vectors to train in the place of words.

    Attributes:
        vectors: [n, width].
    """

    def __init__(self, model: TextToLatent, count: int, beginning: str) -> None:
        super().__init__()
        self._model = [model]  # in a list, so that it is no part of this module's weights
        self._words = [f"<vector{n}>" for n in range(count)]
        table = cast(nn.Embedding, model.text_encoder.get_input_embeddings())
        first: int = cast(Any, model.tokenizer)(beginning).input_ids[1]
        start = table.weight[first].detach()
        cast(Any, model.tokenizer).add_tokens(self._words)
        cast(Any, model.text_encoder).resize_token_embeddings(len(model.tokenizer))
        noise = torch.randn(count, len(start), generator=torch.Generator().manual_seed(0))
        self.vectors = nn.Parameter(start + 0.1 * float(start.std()) * noise)
        cast(Any, model.text_encoder).get_input_embeddings().register_forward_hook(self._replace)
        self._first: int = len(model.tokenizer) - count

    def _replace(self, _layer: nn.Module, given: tuple[Tensor], found: Tensor) -> Tensor:
        places = given[0] - self._first
        own = self.vectors[places.clamp(min=0)]
        return torch.where((places >= 0)[..., None], own, found)

    def loss(self, latents: Tensor, draw: random.Random) -> Tensor:
        """The error at random timesteps of the same picture, asked for in random phrases."""
        word = " ".join(self._words)
        said = [draw.choice(PHRASES).format(word) for _ in latents]
        return v_loss(self._model[0], latents, said)


def learn(base: shipped.Shipped, picture: Tensor, plan: Plan, checkpoint: Path) -> Tensor:
    """The vectors [n, width] for a picture [3, H, W] in -1..1."""
    torch.manual_seed(5)
    base.model.eval()
    inversion = Inversion(base.model, VECTORS, BEGINNING)
    latents = base.encode(picture[None]).expand(16, -1, -1, -1)
    draw = random.Random(0)
    train(
        inversion,
        lambda _done: inversion.loss(latents, draw),
        plan,
        checkpoint,
        lambda _weights, done: f"{done:.0%}",
    )
    return inversion.vectors.detach()


def save(vectors: Tensor, path: Path) -> Path:
    """Write vectors [n, width] as an embedding file; its path."""
    save_file({"emb_params": vectors.contiguous()}, path)
    return path


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("label", help="the name of an emoji that the model was not trained on")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the model")
    parser.add_argument("--file", type=Path, help="what to write; LABEL.safetensors if not said")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rate", type=float, default=2e-2)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(asked.threads)
    found = {one.label: one for one in load_clean(asked.cache)}
    if asked.label not in found:
        parser.error(f"no emoji is called {asked.label}; names are those of emojibase")
    picture = torch.from_numpy(on_white(found[asked.label].rgba)).permute(2, 0, 1) * 2 - 1
    plan = Plan(asked.steps, asked.rate, warm_up=20, flat=0.3, decay=0.98)
    name = asked.label.replace(" ", "-")
    vectors = learn(shipped.read(asked.folder), picture, plan, asked.cache / f"embedding-{name}.pt")
    path = save(vectors, asked.file or Path(f"{name}.safetensors"))
    log.info("%s: %d vectors of %d numbers", path, *vectors.shape)


if __name__ == "__main__":
    main()
