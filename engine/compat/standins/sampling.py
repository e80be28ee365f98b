"""`comfy.sample`, `comfy.samplers`, `latent_preview`: sampling by hand, by our KSampler nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar

from engine.authoring.errors import SoundstageError
from engine.authoring.markers import Files
from engine.authoring.registry import Registry


class UnknownNoise(SoundstageError):
    """A pack wants to start from noise that is not a seed's."""


def prepare_noise(latent_image: Any, seed: int, noise_inds: Sequence[int] | None = None) -> Any:
    """The noise of a seed for latents [B, C, H, W], float32 on the CPU.

    Args:
        latent_image: gives the shape.
        seed: 0..2**64 - 1.
        noise_inds: which of a bigger batch the latents are.
    """
    import torch

    generator = torch.Generator("cpu").manual_seed(seed)
    if noise_inds is None:
        return torch.randn(latent_image.shape, generator=generator)
    single = (1, *latent_image.shape[1:])
    drawn = [torch.randn(single, generator=generator) for _ in range(max(noise_inds) + 1)]
    return torch.cat([drawn[index] for index in noise_inds])


def fix_empty_latent_channels(model: Any, latent_image: Any, *_: Any) -> Any:
    """Blank latents as the model's own; others as they are."""
    return model.start(latent_image) if hasattr(model, "start") else latent_image


def prepare_callback(model: Any, steps: int, x0_output_dict: Any = None) -> Callable[..., None]:
    """A callback that does nothing: our samplers report and preview by themselves."""
    return lambda *_, **__: None


def sampler(common_ksampler: Callable[..., Any]) -> Callable[..., Any]:
    """`comfy.sample.sample`."""

    def sample(
        model: Any,
        noise: Any,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        positive: Any,
        negative: Any,
        latent_image: Any,
        denoise: float = 1.0,
        disable_noise: bool = False,
        start_step: int | None = None,
        last_step: int | None = None,
        force_full_denoise: bool = False,
        noise_mask: Any = None,
        sigmas: Any = None,
        callback: Any = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Any:
        """The samples, [B, C, H, W]; `noise` is that of `prepare_noise` and the seed, or zeros.

        Raises:
            UnknownNoise: it is another.
        """
        import torch

        quiet = disable_noise or not bool(torch.any(noise))
        if not quiet and not (
            seed is not None and torch.equal(noise.cpu(), prepare_noise(latent_image, seed))
        ):
            raise UnknownNoise(
                "comfy.sample: the noise is not that of the seed; give seed=, and "
                "noise=comfy.sample.prepare_noise(latent_image, seed), or zeros for none"
            )
        if sigmas is not None:
            raise UnknownNoise(
                "comfy.sample: sigmas of the pack's own are not taken; use the node SamplerCustom"
            )
        latent = {"samples": latent_image}
        if noise_mask is not None:
            latent["noise_mask"] = noise_mask
        common = (model, seed or 0, steps, cfg, sampler_name, scheduler, positive, negative, latent)
        return common_ksampler(
            *common,
            denoise=denoise,
            disable_noise=quiet,
            start_step=start_step,
            last_step=last_step,
            force_full_denoise=force_full_denoise,
        )[0]["samples"]

    return sample


class KSampler:
    """`comfy.samplers.KSampler`: a way to sample, kept for later.

    Args:
        model: the denoiser.
        steps: how many.
        device: has no effect, the model's lane is known.
        sampler: name of the sampler.
        scheduler: name of the schedule.
        denoise: below 1 something of the start is kept.
    """

    SAMPLERS: ClassVar[Sequence[str]] = ()
    SCHEDULERS: ClassVar[Sequence[str]] = ()
    way: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        model: Any,
        steps: int,
        device: Any = None,
        sampler: str = "euler",
        scheduler: str = "normal",
        denoise: float | None = None,
        model_options: Any = None,
    ) -> None:
        self.model = model
        self.steps = steps
        self.sampler = sampler
        self.scheduler = scheduler
        self.denoise = 1.0 if denoise is None else denoise

    def sample(
        self,
        noise: Any,
        positive: Any,
        negative: Any,
        cfg: float,
        latent_image: Any,
        denoise_mask: Any = None,
        **more: Any,
    ) -> Any:
        """The samples; see `comfy.sample.sample`."""
        way = (self.steps, cfg, self.sampler, self.scheduler)
        texts = (positive, negative)
        return type(self).way(
            *(self.model, noise, *way, *texts, latent_image),
            denoise=self.denoise,
            noise_mask=denoise_mask,
            **more,
        )


def options(registry: Registry, id: str, name: str) -> Sequence[str]:
    """The choices of a node's input; none where there is no such node."""
    spec = registry.get(id)
    input = spec.by_name.get(name) if spec is not None else None
    choice = input.choice if input is not None else None
    return () if choice is None or isinstance(choice.options, Files) else choice.options


def sampling(registry: Registry, core: Mapping[str, Any]) -> dict[str, ModuleType]:
    """The modules by name.

    Args:
        registry: knows the names of samplers and schedulers.
        core: what packs find in `nodes`.
    """
    way = sampler(core["common_ksampler"])
    sample = ModuleType("comfy.sample")
    vars(sample).update(
        prepare_noise=prepare_noise,
        fix_empty_latent_channels=fix_empty_latent_channels,
        sample=way,
    )
    samplers = ModuleType("comfy.samplers")
    names = [*options(registry, "KSampler", "sampler_name")]
    schedulers = [*options(registry, "KSampler", "scheduler")]
    members = {"SAMPLERS": names, "SCHEDULERS": schedulers, "way": staticmethod(way)}
    vars(samplers).update(
        KSampler=type("KSampler", (KSampler,), members),
        SAMPLER_NAMES=names,
        SCHEDULER_NAMES=schedulers,
    )
    preview = ModuleType("latent_preview")
    vars(preview).update(prepare_callback=prepare_callback)
    return {module.__name__: module for module in (sample, samplers, preview)}
