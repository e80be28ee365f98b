"""Classifier-free guidance: how the answers to cond and uncond become one.

Each rule is of one paper. All of them speak of denoised latents; the noise that a model found is
what lies between those and the latent that it was asked about.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

if TYPE_CHECKING:
    from nodes.models.networks.patched_unet import UNetPatch

fourier: Any = torch.fft  # has no types
linalg: Any = torch.linalg  # nor has this


@dataclass(frozen=True, eq=False)
class CfgInput:
    """What a model answered at one place of a walk.

    Attributes:
        x: the latents, [B, C, ...].
        sigma: their level of noise.
        cond: the denoised latents by the positive conditioning.
        uncond: the denoised latents by the negative conditioning.
        scale: of the guidance, 1 for none.
        extras: what the extra passes of the model's guidance gave, in their order.
        others: the answers to `Guidance.conditionings`, in their order.
        memory: of the sampling, empty when it begins: what a rule keeps from step to step, by an
            object of its own.
    """

    x: Tensor
    sigma: Tensor
    cond: Tensor
    uncond: Tensor
    scale: float | Tensor
    extras: Sequence[Extra | None] = ()
    others: Sequence[Tensor] = ()
    memory: Memory = field(default_factory=dict[object, Any])


Memory: TypeAlias = MutableMapping[object, Any]
CfgFunction: TypeAlias = Callable[[CfgInput], Tensor]
PreCfg: TypeAlias = Callable[[CfgInput], CfgInput]
PostCfg: TypeAlias = Callable[[CfgInput, Tensor], Tensor]


class Extra(NamedTuple):
    """What an extra pass was asked about, and the denoised latents that it gave."""

    x: Tensor
    denoised: Tensor


@dataclass(frozen=True, eq=False)
class ExtraPass:
    """A further evaluation of the network, and what follows CFG by its answer.

    Attributes:
        follow: changes the answer: gets the input of CFG, what came out, and the pass.
        of_uncond: whether it is about the negative conditioning, else about the positive one.
        patches: of the network in this pass.
        start: the latents that it is asked about, of those of the step, the denoised ones, and how
            much the tokens in the middle of the network are attended to (see
            `unet_patches.RecordedAttention`); None: those of the step.
        active: whether it is made at a level of noise.
    """

    follow: Callable[[CfgInput, Tensor, Extra], Tensor]
    of_uncond: bool = False
    patches: tuple[UNetPatch, ...] = ()
    start: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    active: Callable[[float], bool] = lambda _: True


@dataclass(frozen=True, eq=False)
class ConditionedChange:
    """A change before CFG by the answer to a conditioning of its own.

    Attributes:
        conditioning: what the network is asked besides.
        change: gets the input of CFG, and the denoised latents by that conditioning.
    """

    conditioning: Sequence[Sequence[Any]]
    change: Callable[[CfgInput, Tensor], CfgInput]


def plain_cfg(given: CfgInput) -> Tensor:
    """Ho & Salimans 2022, https://arxiv.org/abs/2207.12598."""
    return given.uncond + (given.cond - given.uncond) * given.scale


@dataclass(frozen=True)
class Guidance:
    """How a model is guided: the functions that its patches put before, in and after CFG.

    Attributes:
        scale_overrides: scales in place of the one that was asked for, between two levels.
        pre_cfg: change cond and uncond before.
        cfg_function: makes one of both.
        post_cfg: change what came out of it, in their order.
        uncond_patches: of the network where it is asked what is not wanted.
    """

    scale_overrides: tuple[tuple[float, float, float], ...] = ()
    pre_cfg: tuple[PreCfg | ConditionedChange, ...] = ()
    cfg_function: CfgFunction = plain_cfg
    post_cfg: tuple[PostCfg | ExtraPass, ...] = ()
    uncond_patches: tuple[UNetPatch, ...] = ()

    @property
    def passes(self) -> list[ExtraPass]:
        """The extra passes."""
        return [change for change in self.post_cfg if isinstance(change, ExtraPass)]

    @property
    def conditionings(self) -> list[Sequence[Sequence[Any]]]:
        """What the network is asked beside the positive and the negative conditioning."""
        return [
            change.conditioning for change in self.pre_cfg if isinstance(change, ConditionedChange)
        ]

    @property
    def handles(self) -> list[Any]:
        """The networks that those conditionings need, control nets say."""
        pairs = [pair for conditioning in self.conditionings for pair in conditioning]
        options = [option for _, named in pairs for option in named.values()]
        return [net for option in options for net in getattr(option, "handles", ())]

    @property
    def needs_uncond(self) -> bool:
        """Whether the negative conditioning counts even where the scale is 1."""
        asked = self.scale_overrides or self.conditionings
        return bool(asked) or any(each.of_uncond for each in self.passes)

    def scale(self, sigma: Tensor, asked: float) -> float:
        """How strong guidance is at a level."""
        for start, end, scale in reversed(self.scale_overrides):
            if end <= float(sigma) <= start:
                return scale
        return asked

    def combine(self, given: CfgInput) -> Tensor:
        """One answer of two."""
        others = iter(given.others)
        for change in self.pre_cfg:
            if not isinstance(change, ConditionedChange):
                given = change(given)
            elif (answer := next(others, None)) is not None:
                given = change.change(given, answer)
        return self.apply_post_cfg(given, self.cfg_function(given))

    def apply_post_cfg(self, given: CfgInput, answer: Tensor) -> Tensor:
        """The answer after the functions that follow CFG."""
        extras = iter(given.extras)
        for change in self.post_cfg:
            if not isinstance(change, ExtraPass):
                answer = change(given, answer)
            elif (extra := next(extras, None)) is not None:
                answer = change.follow(given, answer, extra)
        return answer


def perp_neg(given: CfgInput, empty: Tensor, strength: float) -> Tensor:
    """Perp-Neg: only the part of uncond that is perpendicular to cond; Armandpour et al. 2023.

    https://arxiv.org/abs/2304.04968; both are seen from the answer to no text.
    """
    cond, uncond = given.cond - empty, given.uncond - empty
    along = (uncond * cond).sum() / (cond**2).sum().clamp(min=1e-12)
    return empty + given.scale * (cond - strength * (uncond - along * cond))


def across(strength: float) -> Callable[[CfgInput, Tensor], CfgInput]:
    """Cond and uncond from which plain CFG makes what `perp_neg` does."""

    def change(given: CfgInput, empty: Tensor) -> CfgInput:
        cond = perp_neg(replace(given, scale=1.0), empty, strength)
        return replace(given, cond=cond, uncond=empty)

    return change


def rescale_cfg(share: float) -> CfgFunction:
    """RescaleCFG: the standard deviation of cond; Lin et al. 2023, equations 14 to 16.

    https://arxiv.org/abs/2305.08891; on velocities, `share` of it mixed with the plain answer.
    """

    def rule(given: CfgInput) -> Tensor:
        grown = (given.sigma**2 + 1).sqrt()

        def velocity(denoised: Tensor) -> Tensor:
            return (given.x / grown**2 - denoised) * grown / given.sigma

        guided = velocity(plain_cfg(given))
        spread = _spread(velocity(given.cond)) / _spread(guided)
        mixed = guided * (share * spread + 1 - share)
        return given.x / grown**2 - mixed * given.sigma / grown

    return rule


def _spread(latents: Tensor) -> Tensor:
    return latents.std(dim=tuple(range(1, latents.ndim)), keepdim=True)


def _dot(first: Tensor, second: Tensor) -> Tensor:
    """The inner product of each of a batch, with axes of length 1 for the others."""
    return (first * second).sum(tuple(range(1, first.ndim)), keepdim=True)


def length_of(latents: Tensor) -> Tensor:
    """The length of each of a batch, above 0, with axes of length 1 for the others."""
    return _dot(latents, latents).sqrt().clamp(min=1e-12)


def projected(latents: Tensor, onto: Tensor) -> Tensor:
    """What of each of a batch is parallel to another."""
    return onto * (_dot(latents, onto) / _dot(onto, onto).clamp(min=1e-12))


def cfg_zero_star(given: CfgInput, answer: Tensor) -> Tensor:
    """CFG-Zero*: uncond counts as much as it is like cond; Fan et al. 2025, equation 8.

    https://arxiv.org/abs/2503.18886; the share is that of the noise, and scales denoised latents.
    Whatever else changed the answer stays.
    """
    cond, uncond = given.x - given.cond, given.x - given.uncond
    share = _dot(cond, uncond) / (_dot(uncond, uncond) + 1e-8)
    return answer + given.uncond * (share - 1) * (1 - given.scale)


def cfg_norm(strength: float) -> PostCfg:
    """CFGNorm: at no place longer, over the channels, than cond; `strength` times."""

    def after(given: CfgInput, answer: Tensor) -> Tensor:
        length = _length(answer) + 1e-8
        return answer * (_length(given.cond) / length).clamp(max=1) * strength

    return after


def cfg_norm_of_noise(strength: float) -> CfgFunction:
    """CFGNorm on the noise: as long as that of cond, longer or shorter; `strength` of it."""

    def rule(given: CfgInput) -> Tensor:
        guided, cond = given.x - plain_cfg(given), given.x - given.cond
        length = _length(guided)
        ratio = torch.where(length > 0, _length(cond) / length, 1.0)
        return given.x - guided * (strength * ratio + 1 - strength)

    return rule


def tangential_damping(given: CfgInput) -> CfgInput:
    """TCFG: of the noise of uncond what is along the direction that it shares with cond.

    Kwon et al. 2025, https://arxiv.org/abs/2503.18137: the first right singular vector of both.
    """
    noise = torch.stack([given.x - given.uncond, given.x - given.cond], dim=1).flatten(2).float()
    shared: Tensor = linalg.svd(noise, full_matrices=False).Vh[:, :1]
    damped = (noise[:, :1] @ shared.mT) @ shared
    return replace(given, uncond=given.x - damped.reshape_as(given.x).to(given.x))


def mahiro(given: CfgInput, answer: Tensor) -> Tensor:
    """Mahiro: between the answer and scaled cond, by how alike both are to scaled uncond.

    By yoinked-h, without a paper; the likeness is the cosine over the channels of signed square
    roots.
    """
    leap = given.cond * given.scale
    merged, uncond = (leap + answer) / 2, given.uncond * given.scale
    roots = [latents.abs().sqrt() * latents.sign() for latents in (uncond, merged)]
    likeness = 2 * (cosine_similarity(roots[0], roots[1]).mean() + 1)
    return (likeness * answer + (4 - likeness) * leap) / 4


def _length(latents: Tensor) -> Tensor:
    return (latents**2).sum(dim=1, keepdim=True).sqrt()


def fresca(low: float, high: float, cutoff: int) -> Callable[[CfgInput], CfgInput]:
    """FreSca: coarse and fine differences by scales of their own; Huang et al. 2025.

    https://arxiv.org/abs/2504.02154; coarse are `cutoff` frequencies to either side of none.
    """

    def change(given: CfgInput) -> CfgInput:
        waves = fourier.fftshift(fourier.fft2((given.cond - given.uncond).float()), (-2, -1))
        scale = torch.full(waves.shape[-2:], high, device=waves.device)
        places = [
            slice(max(0, side // 2 - cutoff), side // 2 + cutoff) for side in waves.shape[-2:]
        ]
        scale[places[0], places[1]] = low
        turned = fourier.ifft2(fourier.ifftshift(waves * scale, (-2, -1))).real
        return replace(given, cond=given.uncond + turned.to(given.cond))

    return change


def video_cfg(least: float, *, there_and_back: bool) -> CfgFunction:
    """A scale that grows over the frames of a video from `least` on; or grows and falls."""

    def rule(given: CfgInput) -> Tensor:
        way = torch.linspace(0, 1, len(given.x)).to(given.x)
        way = way.reshape(-1, *[1] * (given.x.ndim - 1))
        if there_and_back:
            way = 1 - (2 * way - 1).abs()
        return plain_cfg(replace(given, scale=least + way * (given.scale - least)))

    return rule


def temporal_score_rescaling(share: float, spread: float) -> PostCfg:
    """Temporal score rescaling: less noise (`share` below 1) or more, the later the more so."""

    def after(given: CfgInput, answer: Tensor) -> Tensor:
        signal = (spread / given.sigma) ** 2
        return given.x + (signal + 1) / (signal / share + 1) * (answer - given.x)

    return after


def epsilon_scaling(scale: float) -> PostCfg:
    """The predicted noise, that many times smaller; Ning et al. 2023.

    https://arxiv.org/abs/2308.15321.
    """

    def after(given: CfgInput, answer: Tensor) -> Tensor:
        return given.x - (given.x - answer) / scale

    return after
