"""One LoRA for another on a UNet of Stable Diffusion 1.5's size, against copying its weights once.

Random numbers of rank 8 on every projection and feed-forward of its attentions, as most LoRAs have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from benchmarks.tables import Measures
from nodes.models.files.checkpoints import UNET, NetworkSource
from nodes.models.files.tensor_files import Header
from nodes.models.networks.changes import Change, LowRank
from nodes.models.networks.patching import PatchedWeights

RUNS, RANK, GOAL = 7, 8, "<= 0.5 s"


@dataclass
class Random:
    """A patch of random low ranks."""

    key: str
    pairs: dict[str, tuple[Tensor, Tensor]]

    def changes(self, source: NetworkSource) -> Iterator[tuple[str, Change]]:
        """As a LoRA's."""
        for name, (up, down) in self.pairs.items():
            yield name, Change(LowRank(up, down, 0.5), self.key)


def main() -> None:
    """Measure and print."""
    with torch.device("meta"):
        module: nn.Module = UNet2DConditionModel(cross_attention_dim=768)
    originals: dict[str, Tensor] = {}
    for name, weight in [*module.named_parameters()]:
        if ".transformer_blocks." in name and weight.dim() == 2:
            layer = module.get_submodule(name.removesuffix(".weight"))
            layer.weight = nn.Parameter(torch.zeros(weight.shape), requires_grad=False)
            originals[name] = torch.randn(weight.shape).half()
    weights = {name: module.get_parameter(name) for name in originals}
    source = NetworkSource(Header(Path("random"), {}, {}, ""), {}, "", {}, UNET)
    patched = PatchedWeights(source, module, originals.__getitem__)
    pairs = {
        name: (torch.randn(len(weight), RANK), torch.randn(RANK, weight.shape[1]))
        for name, weight in originals.items()
    }
    loras = [Random(key, pairs) for key in "ab"]
    patched.apply(loras[:1])
    count = sum(weight.numel() for weight in originals.values())
    title = f"LoRA of rank {RANK} on {len(originals)} weights, {count / 1e6:.0f} M numbers"
    measures = Measures(f"{title}, {torch.get_num_threads()} threads")

    def copied() -> None:
        for name, weight in weights.items():
            weight.copy_(originals[name])

    copying = timed(copied)
    swaps: list[float] = []
    for run in range(RUNS):
        chosen = [loras[1 - run % 2]]
        swaps += timed(lambda chosen=chosen: patched.apply(chosen), 1)
    measures.add("one LoRA for another", swaps, "s", GOAL)
    measures.add("none again", timed(lambda: patched.apply(()), 1), "s")
    measures.add("copying the weights", copying, "s")
    ratios = [swap / min(copying) for swap in swaps]
    measures.add("a swap against copying", ratios, "x")
    measures.print()


def timed(run: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Seconds of each run."""
    found: list[float] = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return found


if __name__ == "__main__":
    main()
