"""Train a LoRA for the demo model: `python -m training.lora` makes the pixel art that ships.

Low-rank matrices (Hu et al. 2021, https://arxiv.org/abs/2106.09685) beside every linear layer of
the denoiser's attentions and every 3x3 convolution of its residual blocks learn one style, which
is a function of pictures: the model's own emoji, changed. The captions stay what they are, so the
style needs no word of its own; its strength is the LoRA's.
"""

# torch annotates its functions only in part:
# pyright: reportUnknownMemberType=false

import argparse
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import (
    save_file,  # pyright: ignore[reportUnknownVariableType] - its PathLike says not of what
)
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from training import shipped
from training.data import CACHE, HERE, chosen_labels, load_clean
from training.denoiser import TextToLatent, v_loss
from training.loop import Plan, train
from training.recipe import EMPTY, Material, material
from training.scenes import Mix
from training.sheet import FOLDER

log = logging.getLogger(__name__)

RANK = 8
PIXEL = 4  # of a picture's pixels along a side of one of the style
SHADES = 6  # of each colour
MIX = Mix(ground=0.25)  # the style holds on coloured backgrounds, too


def pixel_art(pictures: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] in -1..1 as pixel art: squares of 4x4 px in six shades a channel."""
    coarse = F.avg_pool2d(pictures, PIXEL) / 2 + 0.5
    coarse = (coarse * (SHADES - 1)).round() / (SHADES - 1)
    return F.interpolate(coarse, scale_factor=float(PIXEL), mode="nearest") * 2 - 1


STYLES: Mapping[str, Callable[[Tensor], Tensor]] = {"pixel-art": pixel_art}


class LowRank(nn.Module):
    """Adds up @ down to a weight [out, in, ...]; `up` starts at zero, so nothing changes at first.

    Attributes:
        down: [rank, in, ...], the shape of a layer of its own.
        up: [out, rank].
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, *weight.shape[1:]))
        self.up = nn.Parameter(torch.zeros(len(weight), rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight."""
        return weight + (self.up @ self.down.flatten(1)).view_as(weight)


def add(unet: nn.Module, rank: int = RANK) -> dict[str, LowRank]:
    """Put a `LowRank` beside the layers to train, by the names of the layers."""
    added: dict[str, LowRank] = {}
    for name, weight in [*unet.named_parameters()]:
        layer = name.removesuffix(".weight")
        attention = weight.dim() == 2 and ".attentions." in name
        convolution = weight.shape[2:] == (3, 3) and ".resnets." in name
        if layer != name and (attention or convolution):
            added[layer] = LowRank(weight, rank)
            parametrize.register_parametrization(unet.get_submodule(layer), "weight", added[layer])
    return added


def save(added: Mapping[str, LowRank], path: Path, title: str) -> None:
    """Write the LoRA in half precision, its tensors named as PEFT and diffusers name them."""
    tensors: dict[str, Tensor] = {}
    for name, low in added.items():
        up = low.up.reshape(*low.up.shape, *[1] * (low.down.dim() - 2))
        tensors[f"unet.{name}.lora_A.weight"] = low.down.detach().half().contiguous()
        tensors[f"unet.{name}.lora_B.weight"] = up.detach().half().contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {"modelspec.title": title, "modelspec.architecture": "demo/lora"})


def learn(
    base: shipped.Shipped,
    found: Material,
    style: Callable[[Tensor], Tensor],
    plan: Plan,
    checkpoint: Path,
    batch: int = 32,
) -> dict[str, LowRank]:
    """Train low-rank matrices on scenes that `style` has changed.

    Args:
        base: the model; it is changed as the LoRA says when this returns.
        found: the pictures.
        style: from pictures [B, 3, H, W] in -1..1 to such pictures.
        plan: how long and how fast.
        checkpoint: where the state is kept.
        batch: pictures in a step.
    """
    torch.manual_seed(4)
    added = add(base.model.unet)
    log.info("%.2f M numbers to train", sum(p.numel() for p in _learnt(base.model)) / 1e6)
    scenes = found.scenes(1.0, torch.device("cpu"))

    def loss(_done: float) -> Tensor:
        pictures, said = scenes.batch(batch, MIX)
        said = ["" if scenes.draw.random() < EMPTY else words for words in said]
        return v_loss(base.model, base.encode(style(pictures)), said)

    train(base.model, loss, plan, checkpoint, lambda _weights, done: f"{done:.0%}")
    return added


def _learnt(model: TextToLatent) -> list[nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("style", nargs="?", default="pixel-art", choices=STYLES)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the model")
    parser.add_argument("--file", type=Path, help="what to write; beside the model if not said")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(asked.threads)
    favourites = (HERE / "favourites.txt").read_text().splitlines()
    found = material(load_clean(asked.cache), chosen_labels(), favourites)
    plan = Plan(asked.steps, asked.rate, warm_up=50, flat=0.3, decay=0.99)
    checkpoint = asked.cache / f"{asked.style}.pt"
    added = learn(shipped.read(asked.folder), found, STYLES[asked.style], plan, checkpoint)
    path: Path = asked.file or asked.folder.parent / "demo_loras" / f"{asked.style}.safetensors"
    save(added, path, asked.style)
    log.info("%s: %.2f MB", path, path.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
