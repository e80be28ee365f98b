"""Sigma spaces: how much noise a model knows, what it is given, and what its output means.

Sigma is the level of noise. A space says which levels a model was trained on (`table`), what the
network gets at a level (`network_input`, `timestep`), and how its output becomes the picture
behind the noise (`denoised`). In all but flow models noise is added to a latent of full size (the
"variance exploding" view of Karras et al. 2022, https://arxiv.org/abs/2206.00364); flow models
mix latent and noise, so that the latent's own part, `alpha`, falls to nothing.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

import torch
from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "sample", "lcm", "img_to_img"]

ALL_NOISE = 1e9
LCM_LEVELS = 50  # that such a model was distilled to
LCM_SCALE, LCM_DATA = 10.0, 0.5  # Luo et al. 2023, https://arxiv.org/abs/2310.04378
LARGEST_SIGMA = 4518.76367  # stands for infinity where no signal is left
CONTINUOUS = 1000  # entries in the table of a space without training steps


def by_row(sigma: Tensor, x: Tensor) -> Tensor:
    """`sigma`, a scalar or one for each row of `x`, on its device and shaped to multiply `x`."""
    return sigma.to(x.device).reshape(-1, *[1] * (x.ndim - 1))


class SigmaSpace(ABC):
    """The levels of noise of a model, and what its network makes of them."""

    @cached_property
    @abstractmethod
    def table(self) -> Tensor:
        """The levels it was trained on, float32, rising; schedules choose from them."""

    @cached_property
    @abstractmethod
    def key(self) -> str:
        """Part of cache keys: differs between spaces that denoise differently."""

    @abstractmethod
    def timestep(self, sigma: Tensor) -> Tensor:
        """The network's timestep at `sigma`, float32, one for each element."""

    @abstractmethod
    def sigma(self, timestep: Tensor) -> Tensor:
        """The level at a timestep, float32; between two training steps interpolated."""

    @abstractmethod
    def percent_to_sigma(self, percent: float) -> float:
        """The level when that share, 0..1, of the sampling is done: all noise at 0, none at 1."""

    @abstractmethod
    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """What the network gets of noisy latents `x` [B, ...] at the levels `sigma` [B]."""

    @abstractmethod
    def denoised(self, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
        """The latents behind the noise, of `x` [B, ...] and the network's output for it."""

    def alpha(self, sigma: Tensor) -> Tensor:
        """How much of the latent is left beside noise of that level: all of it, but in flows."""
        return torch.ones_like(sigma)

    def noised(self, clean: Tensor, noise: Tensor, sigma: Tensor, *, first: bool = False) -> Tensor:
        """Latents with noise of a level.

        Args:
            clean: latents in the unit of the network, [B, ...].
            noise: of unit variance, of the same shape.
            sigma: the level, a scalar or [B].
            first: whether sampling begins so; the largest level then makes the variance that the
                network knows as pure noise.
        """
        level = by_row(sigma, clean)
        if first and self.is_largest(sigma):
            level = (1 + level**2).sqrt()
        return clean + noise * level

    def sigma_of_ratio(self, ratio: Tensor) -> Tensor:
        """The level where noise and latent, sigma and alpha, are in that ratio."""
        return ratio

    def finished(self, x: Tensor, sigma: Tensor) -> Tensor:
        """`x` when sampling ends at the level `sigma`, its latent at full size."""
        return x / by_row(self.alpha(sigma), x)

    def is_largest(self, sigma: Tensor) -> bool:
        """Whether the first of `sigma` is pure noise to this model."""
        largest, level = float(self.table[-1]), float(sigma.reshape(-1)[0])
        return math.isclose(level, largest, rel_tol=1e-5) or level > largest


@dataclass(frozen=True, eq=False)
class Discrete(SigmaSpace):
    """Of a model that was trained on numbered steps: Stable Diffusion 1 and 2, SDXL.

    Attributes:
        alphas_cumprod: share of the signal's variance after each training step, float64, falling.
        prediction: what the network predicts: the noise, the velocity, the latents; or, distilled
            to few steps (LCM), the noise, whose denoised latents are mixed with the noisy ones; or,
            from a picture to a picture, the latents for those that it is given.
        zero_snr: whether nothing is left of the signal at the last step.
    """

    alphas_cumprod: Tensor = field(repr=False)
    prediction: Prediction = "epsilon"
    zero_snr: bool = False

    @property
    def stride(self) -> int:
        """So many training steps lie between the entries of the table."""
        return len(self.alphas_cumprod) // LCM_LEVELS if self.prediction == "lcm" else 1

    @cached_property
    def table(self) -> Tensor:
        """Sigma of each training step, of LCM those that it was distilled to."""
        alphas_cumprod = self.alphas_cumprod
        if self.zero_snr:
            alphas_cumprod = _without_signal_at_the_end(alphas_cumprod)
        stride = self.stride
        return (
            ((1 - alphas_cumprod) / alphas_cumprod)
            .sqrt()
            .float()[stride - 1 :: stride]
            .contiguous()
        )

    @cached_property
    def key(self) -> str:
        """Of the table's content and the prediction."""
        content = hashlib.sha256(self.table.numpy().tobytes()).hexdigest()[:16]
        return f"{self.prediction}:{content}"

    @cached_property
    def _logs(self) -> Tensor:
        return self.table.log()

    def timestep(self, sigma: Tensor) -> Tensor:
        """The training step whose noise is nearest, int64."""
        distance = sigma.log().reshape(-1, 1) - self._logs.to(sigma.device)
        return distance.abs().argmin(dim=1).reshape(sigma.shape) * self.stride + self.stride - 1

    def sigma(self, timestep: Tensor) -> Tensor:
        """Sigma at a training step, fractions interpolated in the logarithm."""
        stride = self.stride
        place = ((timestep - (stride - 1)) / stride).clamp(0, len(self.table) - 1)
        low, high = place.floor().long(), place.ceil().long()
        return torch.lerp(self._logs[low], self._logs[high], place.frac()).exp()

    def percent_to_sigma(self, percent: float) -> float:
        """Sigma of the training step at that share of the way from the last."""
        if percent <= 0:
            return ALL_NOISE
        if percent >= 1:
            return 0.0
        last = len(self.alphas_cumprod) - 1
        return float(self.sigma(torch.tensor((1 - percent) * last)))

    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """`x` at unit variance; of a model from picture to picture as it is."""
        if self.prediction == "img_to_img":
            return x
        return x / (by_row(sigma, x) ** 2 + 1).sqrt()

    def denoised(self, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
        """The latents behind the noise, by what the network predicts."""
        s = by_row(sigma, x)
        match self.prediction:
            case "v_prediction":
                return x / (s**2 + 1) - output * s / (s**2 + 1).sqrt()
            case "sample" | "img_to_img":
                return output
            case "epsilon":
                return x - output * s
            case "lcm":
                time = LCM_SCALE * by_row(self.timestep(sigma), x)
                skip = LCM_DATA**2 / (time**2 + LCM_DATA**2)  # c_skip, and c_out by its root
                return (1 - skip).sqrt() * (x - output * s) + skip * x


EdmPrediction = Literal["epsilon", "v_prediction", "noise", "cosmos_rflow"]


@dataclass(frozen=True, eq=False)
class Edm(SigmaSpace):
    """Of a model preconditioned as Karras et al. 2022, https://arxiv.org/abs/2206.00364, table 1.

    Attributes:
        low: the smallest level.
        high: the largest.
        data: standard deviation that the latents were taken to have.
        prediction: "epsilon": the output is scaled as in the paper; "v_prediction": its opposite;
            "noise": it is the noise; "cosmos_rflow": it is the velocity of a rectified flow whose
            time is sigma / (sigma + 1), NVIDIA 2025, https://arxiv.org/abs/2503.14492.
        clock: the timestep that the network gets: a quarter of log(sigma), or its angle, the
            arc tangent in parts of a right one.
    """

    low: float = 0.002
    high: float = 80.0
    data: float = 0.5
    prediction: EdmPrediction = "epsilon"
    clock: Literal["logarithm", "angle"] = "logarithm"

    @cached_property
    def table(self) -> Tensor:
        """Levels with evenly spaced logarithms."""
        return torch.linspace(math.log(self.low), math.log(self.high), CONTINUOUS).exp()

    @cached_property
    def key(self) -> str:
        """Of its numbers."""
        return f"edm:{self.low}:{self.high}:{self.data}:{self.prediction}:{self.clock}"

    def timestep(self, sigma: Tensor) -> Tensor:
        """A quarter of the logarithm, or the angle; in a flow its time."""
        if self.prediction == "cosmos_rflow":
            return sigma / (sigma + 1)
        return 0.25 * sigma.log() if self.clock == "logarithm" else sigma.atan() / math.pi * 2

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`."""
        if self.prediction == "cosmos_rflow":
            return (timestep / (1 - timestep)).clamp(0, self.high)
        clock = self.clock
        return (timestep * 4).exp() if clock == "logarithm" else (timestep * math.pi / 2).tan()

    def percent_to_sigma(self, percent: float) -> float:
        """The logarithm at that share of the way from the largest level to the smallest."""
        if percent <= 0:
            return ALL_NOISE
        if percent >= 1:
            return 0.0
        first, last = math.log(self.high), math.log(self.low)
        return math.exp(first + (last - first) * percent)

    def network_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """`x` at unit variance, if the latents have that of `data`; of a flow mixed as there."""
        s = by_row(sigma, x)
        return x / (s + 1 if self.prediction == "cosmos_rflow" else (s**2 + self.data**2).sqrt())

    def denoised(self, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
        """Input and output mixed by the level."""
        s, data = by_row(sigma, x), self.data
        if self.prediction == "noise":
            return x - output * s
        if self.prediction == "cosmos_rflow":
            return (x - output * s) / (s + 1)
        sign = -1 if self.prediction == "v_prediction" else 1
        scaled = output * s * data / (s**2 + data**2).sqrt()
        return x * data**2 / (s**2 + data**2) + sign * scaled


EXPLODING = Edm()
"""Any space where noise is added to a latent of full size, for formulas written for such."""


def sigma_space(config: Mapping[str, Any]) -> SigmaSpace:
    """The space that a diffusers scheduler config describes.

    Raises:
        ValueError: a beta schedule or a prediction type that is not known here.
    """
    prediction = config.get("prediction_type", "epsilon")
    if str(config.get("_class_name")).startswith("EDM") and prediction in (
        "epsilon",
        "v_prediction",
    ):
        low, high = config.get("sigma_min", 0.002), config.get("sigma_max", 80.0)
        return Edm(low, high, config.get("sigma_data", 0.5), prediction)
    if config.get("timestep_type") == "continuous" and prediction == "v_prediction":
        return Edm(config.get("sigma_min", 0.002), config.get("sigma_max", 80.0), 1.0, prediction)
    if prediction not in get_args(Prediction):
        raise ValueError(f"prediction_type {prediction!r} of the scheduler config is not supported")
    alphas_cumprod = torch.cumprod(1 - _betas(config), dim=0)
    return Discrete(alphas_cumprod, prediction, bool(config.get("rescale_betas_zero_snr")))


def discrete(space: SigmaSpace, prediction: Prediction, *, zero_snr: bool = False) -> Discrete:
    """A space of the same training steps, or else of Stable Diffusion's, that predicts so."""
    steps = space if isinstance(space, Discrete) else Discrete(torch.cumprod(1 - _betas({}), dim=0))
    return replace(steps, prediction=prediction, zero_snr=zero_snr)


def _betas(config: Mapping[str, Any]) -> Tensor:
    count = int(config.get("num_train_timesteps", 1000))
    first, last = config.get("beta_start", 0.00085), config.get("beta_end", 0.012)
    match config.get("beta_schedule", "scaled_linear"):
        case "scaled_linear":
            return torch.linspace(first**0.5, last**0.5, count, dtype=torch.float64) ** 2
        case "linear":
            return torch.linspace(first, last, count, dtype=torch.float64)
        case "squaredcos_cap_v2":
            return _cosine_betas(count)
        case other:
            raise ValueError(f"beta_schedule {other!r} of the scheduler config is not supported")


def _cosine_betas(count: int) -> Tensor:
    """Nichol & Dhariwal 2021, https://arxiv.org/abs/2102.09672, equation 17."""
    time = torch.arange(count + 1, dtype=torch.float64) / count
    alphas_cumprod = torch.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - alphas_cumprod[1:] / alphas_cumprod[:-1]).clamp(max=0.999)


def _without_signal_at_the_end(alphas_cumprod: Tensor) -> Tensor:
    """Lin et al. 2023, https://arxiv.org/abs/2305.08891; a trace of signal keeps sigma finite."""
    root = alphas_cumprod.sqrt()
    root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    alphas_cumprod = root**2
    alphas_cumprod[-1] = 1 / (1 + LARGEST_SIGMA**2)
    return alphas_cumprod
