"""The training loop that the autoencoder and the denoiser share."""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

import logging
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress
from torch import Tensor, nn

log = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class Plan:
    """How long to train and at which rate.

    The rate rises for `warm_up` steps, stays for the fraction `flat` and falls to zero along a
    cosine. The end is at `steps`, or after `minutes` of wall time where that comes first.
    """

    steps: int
    rate: float
    minutes: float = math.inf
    warm_up: int = 100
    flat: float = 0.0
    decay: float = 0.999
    every: float = 180  # seconds between reports

    def done(self, step: int, spent: float) -> float:
        """The fraction that is behind us after `step` steps and `spent` seconds."""
        return min(1.0, max(step / self.steps, spent / 60 / self.minutes))

    def rate_at(self, step: int, done: float) -> float:
        """The learning rate of a step."""
        falling = max(0.0, done - self.flat) / (1 - self.flat)
        return self.rate * min(1, (step + 1) / self.warm_up) * (1 + math.cos(math.pi * falling)) / 2


def train(
    model: nn.Module,
    loss: Callable[[float], Tensor],
    plan: Plan,
    checkpoint: Path,
    report: Callable[[dict[str, Tensor], float], str],
) -> None:
    """Train `model` as `plan` says, taking up the checkpoint of an unfinished training.

    `model` ends with the averaged weights, which also are "average" in the checkpoint.

    Args:
        model: what to train; what needs no gradient stays.
        loss: the loss of a fresh batch, given the fraction that is behind us.
        plan: how long and how fast.
        checkpoint: where the state is kept.
        report: given the averaged weights and the fraction, what the log says.
    """
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(
        learnt,
        plan.rate,
        betas=(0.9, 0.99),
        weight_decay=1e-3,
        fused=True,
    )
    average = Average(model, plan.decay)
    step, spent, losses = 0, 0.0, 0.0
    if checkpoint.exists():
        stored: dict[str, Any] = torch.load(
            checkpoint, weights_only=True, map_location=learnt[0].device
        )
        model.load_state_dict(stored["model"])
        optimiser.load_state_dict(stored["optimiser"])
        average.weights, step, spent = stored["average"], stored["step"], stored["spent"]

    def save() -> None:
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
        part = checkpoint.with_suffix(".part")
        torch.save(state | {"average": average.weights, "step": step, "spent": spent}, part)
        part.replace(checkpoint)
        said = report(average.weights, plan.done(step, spent))
        log.info("%5.1f min, step %d, loss %.4f: %s", spent / 60, step, losses, said)

    saved = spent
    with Progress(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(checkpoint.stem, total=1.0)
        while (done := plan.done(step, spent)) < 1:
            start = time.monotonic()
            for group in optimiser.param_groups:
                group["lr"] = plan.rate_at(step, done)
            optimiser.zero_grad()
            value = loss(done)
            value.backward()
            nn.utils.clip_grad_norm_(learnt, 1)
            optimiser.step()
            step += 1
            average.update(model, step)
            losses += (float(value.detach()) - losses) * max(0.01, 1 / step)
            spent += time.monotonic() - start
            bar.update(task, completed=done)
            if spent - saved > plan.every:
                saved = spent
                save()
    if spent > saved or not checkpoint.exists():
        save()
    model.load_state_dict(average.weights)
