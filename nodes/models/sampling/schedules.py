"""Schedules: which levels of noise a sampler goes through, see `sigma_space`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from nodes.models.sampling.beta import quantile
from nodes.models.sampling.sigma_space import SigmaSpace

KARRAS_RHO = 7.0
LINEAR_PART = 0.025  # of the way is gone in the first half of a linear_quadratic schedule
LTX_TOKENS = (1024, 4096)  # of the smallest and the largest video that LTX was trained on


def normal(space: SigmaSpace, steps: int) -> Tensor:
    """Evenly spaced training steps from the last to the first, then 0."""
    times = torch.linspace(*_ends(space), steps)
    return _ending_in_zero(space.sigma(times))


def _ends(space: SigmaSpace) -> tuple[float, float]:
    """The timesteps of the largest level and of the smallest."""
    last, first = space.timestep(space.table[[-1, 0]])
    return float(last), float(first)


def simple(space: SigmaSpace, steps: int) -> Tensor:
    """Every n-th entry of the table from its end, then 0."""
    stride = len(space.table) / steps
    return _ending_in_zero(torch.stack([space.table[-(1 + int(i * stride))] for i in range(steps)]))


def karras(space: SigmaSpace, steps: int) -> Tensor:
    """Karras et al. 2022, equation 5, with rho 7, then 0."""
    return power_ramp(steps, float(space.table[0]), float(space.table[-1]), KARRAS_RHO)


def exponential(space: SigmaSpace, steps: int) -> Tensor:
    """Logarithms evenly spaced from the largest level to the smallest, then 0."""
    return log_ramp(steps, float(space.table[0]), float(space.table[-1]))


def sgm_uniform(space: SigmaSpace, steps: int) -> Tensor:
    """Evenly spaced training steps from the last one, as if the next were the first; then 0."""
    times = torch.linspace(*_ends(space), steps + 1)[:-1]
    return _ending_in_zero(space.sigma(times))


def ddim_uniform(space: SigmaSpace, steps: int) -> Tensor:
    """Every n-th entry of the table from the second one up, falling, then 0; about `steps`."""
    stride = max(len(space.table) // steps, 1)
    return _ending_in_zero(space.table[1::stride].flip(0))


def beta(space: SigmaSpace, steps: int, alpha: float = 0.6, width: float = 0.6) -> Tensor:
    """Training steps at quantiles of a beta distribution, each once, then 0.

    Lee et al. 2024, https://arxiv.org/abs/2407.12173.
    """
    last = len(space.table) - 1
    shares = (1 - n / steps for n in range(steps))
    places = dict.fromkeys(round(quantile(share, alpha, width) * last) for share in shares)
    return _ending_in_zero(space.table[[*places]])


def kl_optimal(space: SigmaSpace, steps: int) -> Tensor:
    """Sabour et al. 2024, https://arxiv.org/abs/2404.14507, equation 13, then 0."""
    way = torch.arange(steps) / max(1, steps - 1)
    low, high = space.table[0].atan(), space.table[-1].atan()
    return _ending_in_zero((way * low + (1 - way) * high).tan())


def linear_quadratic(space: SigmaSpace, steps: int) -> Tensor:
    """Slowly and evenly at first, then ever faster (Genmo's "mochi", Apache-2.0); then 0."""
    if steps == 1:
        return torch.tensor([1.0, 0.0]) * space.table[-1]
    slow = steps // 2
    fast = steps - slow
    behind = slow - LINEAR_PART * steps
    bend = behind / (slow * fast**2)
    slope = LINEAR_PART / slow - 2 * behind / fast**2
    done = [n * LINEAR_PART / slow for n in range(slow)]
    done += [bend * n**2 + slope * n + bend * slow**2 for n in range(slow, steps)]
    return _ending_in_zero((1 - torch.tensor(done)) * space.table[-1])


def power_ramp(steps: int, low: float, high: float, rho: float) -> Tensor:
    """From high to low, the rho-th roots evenly spaced, then 0."""
    if rho <= 0:
        raise ValueError("rho: it must be above 0; 7 is usual")
    ramp = torch.linspace(0, 1, steps)
    last, first = low ** (1 / rho), high ** (1 / rho)
    return _ending_in_zero((first + ramp * (last - first)) ** rho)


def log_ramp(steps: int, low: float, high: float, rho: float = 1.0) -> Tensor:
    """From high to low, the logarithms falling as a power of the way, then 0."""
    first, last = (math.log(_positive(level)) for level in (high, low))
    ramp = torch.linspace(1, 0, steps) ** rho
    return _ending_in_zero((ramp * (first - last) + last).exp())


def laplace_ramp(steps: int, low: float, high: float, middle: float, width: float) -> Tensor:
    """Logarithms at even quantiles of a Laplace distribution; nothing is added at the end."""
    way = torch.linspace(0, 1, steps)
    beyond = (1 - 2 * (0.5 - way).abs() + 1e-5).log()
    return (middle - width * (0.5 - way).sign() * beyond).exp().clamp(low, high)


def variance_preserving(steps: int, rise: float, start: float, end: float) -> Tensor:
    """Song et al. 2021, https://arxiv.org/abs/2011.13456: even times from 1 to `end`, then 0.

    The rate of noise grows from `start` by `rise`.
    """
    time = torch.linspace(1, end, steps)
    return _ending_in_zero((rise * time**2 / 2 + start * time).expm1().sqrt())


def turbo(space: SigmaSpace, steps: int, denoise: float) -> Tensor:
    """Of ten even training steps, the last one of each tenth, `steps` of them, then 0."""
    first = 10 - int(10 * denoise)
    times = (torch.arange(10, 0, -1) * 100 - 1)[first : first + steps]
    return _ending_in_zero(space.sigma(times.float()))


def flux2(steps: int, tokens: int) -> Tensor:
    """The shifted sigmas of FLUX.2 (Black Forest Labs' "flux2", Apache-2.0), from 1 to 0.

    `tokens` are latent pixels of the picture, each of 16 x 16 pixels.
    """
    at_200 = 0.00016927 * tokens + 0.45666666
    at_10 = 8.73809524e-05 * tokens + 1.89833333
    slope = (at_200 - at_10) / 190
    shift = at_200 if tokens > 4300 else slope * steps + at_200 - 200 * slope
    time = torch.linspace(1, 0, steps + 1)
    sigmas = math.exp(shift) / (math.exp(shift) + (1 / time.clamp(min=1e-30) - 1))
    sigmas[-1] = 0
    return sigmas


def ltxv(steps: int, tokens: int, shifts: tuple[float, float], terminal: float | None) -> Tensor:
    """The shifted levels of LTX Video (Lightricks' "LTX-Video", Apache-2.0), from 1 to 0.

    Args:
        steps: how many are taken.
        tokens: latent pixels of the video, over all its frames.
        shifts: for 1024 tokens, and for 4096; between and beyond in a straight line.
        terminal: stretched so that this is the last level but 0; None leaves them.
    """
    low, high = LTX_TOKENS
    slope = (shifts[1] - shifts[0]) / (high - low)
    shift = math.exp(shifts[0] + slope * (tokens - low))
    time = torch.linspace(1, 0, steps + 1)[:-1]
    done = 1 - shift / (shift + (1 / time - 1))
    if terminal is not None and steps > 1:
        done = done * (1 - terminal) / done[-1]
    return _ending_in_zero(1 - done)


# Ten steps for each kind of model: Sabour et al. 2024, https://arxiv.org/abs/2404.14507, as
# published with it ("Align Your Steps", NVIDIA).
ALIGNED: Mapping[str, tuple[float, ...]] = {
    "SD1": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
    "SDXL": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
    "SVD": (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002),
}


def aligned(kind: str, steps: int, denoise: float) -> Tensor:
    """Levels that were found best for a kind of model, a key of `ALIGNED`; the last is 0.

    Other numbers of steps than ten are interpolated in the logarithm. Below 1, `denoise` takes
    that fraction of the steps, the last ones.
    """
    known = np.log(ALIGNED[kind])
    way = np.linspace(0, len(known) - 1, steps + 1)
    found = torch.as_tensor(np.exp(np.interp(way, np.arange(len(known)), known))).float()
    taken = round(steps * denoise)
    if taken == 0:
        return torch.empty(0)
    found[-1] = 0
    return found[-(taken + 1) :]


def written(text: str) -> Tensor:
    """The numbers in a text, in their order; exponents are not understood."""
    return torch.tensor([float(n) for n in re.findall(r"[-+]?\d*\.?\d+", text)])


def flipped(sigmas: Tensor) -> Tensor:
    """The levels the other way round; nothing to begin with becomes a trace."""
    turned = sigmas.flip(0)
    if len(turned) and turned[0] == 0:
        turned[0] = 0.0001
    return turned


def part(sigmas: Tensor, start: int, end: int, *, leftover: bool) -> Tensor:
    """The levels of the steps from `start` to `end`; unless noise may be left over, down to 0."""
    chosen = sigmas[: end + 1].clone()
    if end < len(sigmas) - 1 and not leftover:
        chosen[-1] = 0
    return chosen[start:] if start < len(chosen) - 1 else chosen[:0]


def _positive(level: float) -> float:
    if level <= 0:
        raise ValueError("sigma_min and sigma_max must be above 0")
    return level


def _ending_in_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, sigmas.new_zeros(1)])


SCHEDULES: Mapping[str, Callable[[SigmaSpace, int], Tensor]] = {
    "simple": simple,
    "sgm_uniform": sgm_uniform,
    "karras": karras,
    "exponential": exponential,
    "ddim_uniform": ddim_uniform,
    "beta": beta,
    "normal": normal,
    "linear_quadratic": linear_quadratic,
    "kl_optimal": kl_optimal,
}


def sigmas(
    space: SigmaSpace,
    scheduler: str,
    steps: int,
    denoise: float = 1.0,
    *,
    discard_penultimate: bool = False,
) -> Tensor:
    """The noise levels a sampler goes through, falling, float32; steps + 1 of them.

    Args:
        space: that of the model.
        scheduler: a name in `SCHEDULES`.
        steps: how many steps are taken.
        denoise: below 1 only the last part of a longer schedule is taken; 0 takes nothing and
            gives an empty tensor.
        discard_penultimate: the last level but 0 is left out, of one step more (see
            `samplers.DISCARD_PENULTIMATE`).
    """
    if denoise <= 0:
        return torch.empty(0)
    whole = steps if denoise > 0.9999 else int(steps / denoise)
    found = SCHEDULES[scheduler](space, whole + discard_penultimate)
    if discard_penultimate:
        found = torch.cat([found[:-2], found[-1:]])
    return found if denoise > 0.9999 else found[-(steps + 1) :]
