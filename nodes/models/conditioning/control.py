"""What a conditioning says of control: a network, its hint, how strongly and when it steers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.inputs import Collation, Input, Inputs
from nodes.models.images.pictures import scaled
from nodes.models.networks.control_net import SteeringNet

if TYPE_CHECKING:
    from nodes.models.conditioning.areas import Cond
    from nodes.models.networks.denoiser import Denoiser
    from nodes.models.networks.patched_unet import UNetPatch

OPTION, SHARED = "control", "control_apply_to_uncond"
"""Names of options of a conditioning: its control, and whether the negative gets it too."""

TEXTS = {"cross_attn_controlnet": "control.text", "pooled_output_controlnet": "control.pooled"}
"""Names of options of a conditioning: a text for its control nets in place of its own, and that
text pooled; and of the inputs that they become."""

OWN = ("hint.", "strength.", "control.")
"""How names of inputs begin that are for control nets alone."""


@dataclass(frozen=True, eq=False)
class ControlNet:
    """What a socket of control nets holds.

    Attributes:
        net: the network; whoever computes leases it, see `Control.handles`.
        kind: of its hints, for union ControlNets; None: the network finds out.
    """

    net: SteeringNet
    kind: int | None = None


@dataclass(frozen=True, eq=False)
class Control:
    """A control net at work, and those that were there before.

    Attributes:
        control_net: the network.
        hint: pictures in 0..1, [B, H, W, 3 or more].
        strength: what its residuals are multiplied by.
        start, end: part of the sampling in which it steers, 0..1.
        previous: another one, whose residuals are added.
    """

    control_net: ControlNet
    hint: Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    previous: Control | None = None
    _sized: dict[tuple[int, int], Tensor] = field(
        default_factory=dict[tuple[int, int], Tensor], init=False, repr=False
    )

    @property
    def chain(self) -> list[Control]:
        """All that steer, the first one first."""
        return [*([] if self.previous is None else self.previous.chain), self]

    @property
    def handles(self) -> Sequence[SteeringNet]:
        """The networks of the chain."""
        return [control.control_net.net for control in self.chain]

    @property
    def kind(self) -> tuple[str, int | None]:
        """Controls of one kind are evaluated together."""
        return self.control_net.net.key, self.control_net.kind

    def sized(self, count: int, height: int, width: int) -> Tensor:
        """The hint as `count` pictures [count, 3, height, width], cut about the centre to fit."""
        if (height, width) not in self._sized:
            fitted = scaled(self.hint[..., :3], "nearest-exact", width, height, crop=True)
            self._sized[height, width] = fitted.movedim(-1, 1)
        hint = self._sized[height, width]
        times = -(-count // len(hint))
        return torch.cat([hint] * times)[:count]


def with_control(
    conditionings: Sequence[Sequence[Sequence[Any]]], control: Control, *, shared: bool = False
) -> list[Conditioning]:
    """The conditionings, each steered by `control` besides what steers it already.

    Equal controls in several conditionings stay equal. `shared`: a negative conditioning without
    a control gets that of the positive.
    """
    made: dict[int, Control] = {}

    def steered(options: dict[str, Any]) -> dict[str, Any]:
        previous = options.get(OPTION)
        if id(previous) not in made:
            made[id(previous)] = replace(control, previous=previous)
        return {**options, OPTION: made[id(previous)], SHARED: shared}

    return [
        [(text, steered(options)) for text, options in conditioning]
        for conditioning in conditionings
    ]


def shared_with(
    positive: Sequence[Sequence[Any]], negative: Sequence[Sequence[Any]]
) -> Sequence[Sequence[Any]]:
    """The negative conditioning with the controls of the positive that are for both.

    Only what counts everywhere takes part. A negative that has a control of its own keeps it.
    """
    whole = [options for _, options in negative if "area" not in options]
    given = [
        options[OPTION]
        for _, options in positive
        if options.get(SHARED) and "area" not in options and options.get(OPTION) is not None
    ]
    if not given or not whole or any(options.get(OPTION) is not None for options in whole):
        return negative
    changed = [[text, dict(options)] for text, options in negative]
    places = [pair for pair in changed if "area" not in pair[1]]
    for number, control in enumerate(given):
        text, options = places[number % len(places)]
        if number < len(places):
            options[OPTION] = control
        else:
            changed.append([text, {**options, OPTION: control}])
    return changed


def handles_of(conds: Sequence[Cond]) -> list[SteeringNet]:
    """The networks that steer any of some texts."""
    controls = [cond.options.get(OPTION) for cond in conds]
    return [net for control in controls if control is not None for net in control.handles]


def active(cond: Cond, model: Denoiser, sigma: Tensor) -> tuple[Control, ...]:
    """What steers for a text at a level of noise, the first one first.

    Raises:
        ValueError: a control net of another kind of model.
    """
    control: Control | None = cond.options.get(OPTION)
    if control is None:
        return ()
    level, at = float(sigma), model.space.percent_to_sigma
    found = tuple(c for c in control.chain if at(c.end) <= level <= at(c.start) and c.strength)
    for one in found:
        _check(one.control_net.net, cond, model)
    return found


def _check(net: SteeringNet, cond: Cond, model: Denoiser) -> None:
    text: Tensor = cond.options.get("cross_attn_controlnet", cond.text)
    width = text.shape[-1]
    if net.layout.context not in (None, width):
        raise ValueError(
            f"the ControlNet {net.source.header.path.name} is for text {net.layout.context} wide, "
            f"and this model's, {model.family.name}, is {width}; take one for {model.family.name}"
        )


def _texts(options: Mapping[str, Any]) -> dict[str, Input]:
    return {
        TEXTS[name]: Input(text, Collation.EACH)
        for name, text in options.items()
        if name in TEXTS and text is not None
    }


def control_inputs(
    controls: Sequence[Control], options: Mapping[str, Any], x: Tensor, factor: int
) -> Inputs:
    """Hints and strengths, "hint.n" and "strength.n", of what steers noisy latents, and its text.

    Args:
        controls: the first one first.
        options: of the conditioning.
        x: [B, C, h, w].
        factor: pixels along one side of a cell of these latents.
    """
    height, width = (side * factor for side in x.shape[-2:])
    found = _texts(options) if controls else {}
    for number, control in enumerate(controls):
        found[f"hint.{number}"] = Input(control.sized(len(x), height, width), Collation.EACH)
        found[f"strength.{number}"] = Input(torch.tensor([control.strength]), Collation.EACH)
    return found


def steered(
    model: Denoiser,
    nets: Sequence[ControlNet],
    x: Tensor,
    sigma: Tensor,
    inputs: Mapping[str, Tensor],
    patches: Sequence[UNetPatch] = (),
) -> Tensor:
    """As `Denoiser.denoised`, with what control nets add for the hints of `control_inputs`."""
    given, timestep = model.space.network_input(x, sigma), model.space.timestep(sigma).to(x.device)
    total: dict[str, Tensor] = {}
    seen = {**inputs, **{n.split(".")[1]: inputs[n] for n in TEXTS.values() if n in inputs}}
    for number, control in enumerate(nets):
        hint, strength = inputs[f"hint.{number}"], inputs[f"strength.{number}"]
        added = control.net.residuals(given, timestep, seen, hint, control.kind)
        for name, residual in added.items():
            residual = residual * strength.to(residual).reshape(-1, 1, 1, 1)
            total[name] = residual + total[name] if name in total else residual
    own = {name: given for name, given in inputs.items() if not name.startswith(OWN)}
    return model.denoised(x, sigma, own | total, patches)
