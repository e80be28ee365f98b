"""The training loop that the autoencoder and the denoiser share."""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress
from torch import Tensor, nn

log = logging.getLogger(__name__)

REPORT_SECONDS = 180


class Average:
    """The exponential moving average of a model's weights; early on it forgets faster."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the weights that the model has after `step` steps."""
        pull = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, pull)


def train(
    model: nn.Module,
    loss: Callable[[float], Tensor],
    *,
    minutes: float,
    rate: float,
    decay: float,
    warm_up: int,
    checkpoint: Path,
    report: Callable[[dict[str, Tensor]], str],
) -> None:
    """Train `model` for `minutes` of wall time, taking up an unfinished checkpoint.

    AdamW with a cosine learning rate that starts at `rate` and ends at zero. The averaged weights
    (moving average with `decay`) are stored under "average" in the checkpoint.

    `loss` gives the loss of a fresh batch for the fraction of the time that has passed; `report`
    is what the log says about the averaged weights every three minutes.
    """
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(learnt, rate, betas=(0.9, 0.99), weight_decay=1e-3, fused=True)
    average = Average(model, decay)
    step, spent = 0, 0.0
    if checkpoint.exists():
        stored: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(stored["model"])
        optimiser.load_state_dict(stored["optimiser"])
        average.weights, step, spent = stored["average"], stored["step"], stored["spent"]

    def save() -> None:
        log.info("%5.1f min, step %d: %s", spent / 60, step, report(average.weights))
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
        part = checkpoint.with_suffix(".part")
        torch.save(state | {"average": average.weights, "step": step, "spent": spent}, part)
        part.replace(checkpoint)

    saved = spent
    with Progress() as bar:
        task = bar.add_task(checkpoint.stem, total=minutes * 60)
        while spent < minutes * 60:
            start = time.monotonic()
            done = spent / 60 / minutes
            for group in optimiser.param_groups:
                group["lr"] = (
                    rate * min(1, (step + 1) / warm_up) * (1 + math.cos(math.pi * done)) / 2
                )
            optimiser.zero_grad()
            loss(done).backward()
            nn.utils.clip_grad_norm_(learnt, 1)
            optimiser.step()
            step += 1
            average.update(model, step)
            spent += time.monotonic() - start
            bar.update(task, completed=spent)
            if spent - saved > REPORT_SECONDS:
                saved = spent
                save()
    save()
