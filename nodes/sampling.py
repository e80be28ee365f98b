"""Nodes that denoise."""

from __future__ import annotations

from typing import Annotated

from engine import CPU, GPU, Choice, Range, Seed, Step, Steps, Tooltip, node
from nodes.sockets import Conditioning, Latent, Model

# The keys of nodes.models.samplers.SAMPLERS and .schedules.SCHEDULES, which need torch.
SAMPLERS = ("euler", "euler_ancestral", "dpmpp_2m")
SCHEDULERS = ("simple", "karras", "normal")


@node("KSampler", category="sampling", display_name="KSampler", on=GPU | CPU)
def k_sampler(
    *,
    model: Annotated[Model, Tooltip("The denoiser.")],
    seed: Annotated[Seed, Tooltip("The same seed gives the same noise.")] = 0,
    steps: Annotated[int, Range(1, 10000), Tooltip("More steps take longer and wander less.")] = 20,
    cfg: Annotated[
        float,
        Range(0.0, 100.0, 0.1, 0.01),
        Tooltip("How strongly the text is followed; 1 ignores the negative and is twice as fast."),
    ] = 8.0,
    sampler_name: Annotated[str, Choice(SAMPLERS), Tooltip("How each step is taken.")],
    scheduler: Annotated[str, Choice(SCHEDULERS), Tooltip("How the noise falls over the steps.")],
    positive: Annotated[Conditioning, Tooltip("What is wanted.")],
    negative: Annotated[Conditioning, Tooltip("What is not.")],
    latent_image: Annotated[Latent, Tooltip("Where to start: blank, or a picture to change.")],
    denoise: Annotated[
        float, Range(0.0, 1.0, 0.01), Tooltip("Below 1 something of the start is kept.")
    ] = 1.0,
) -> Steps[Latent]:
    """Denoise latents towards the positive conditioning and away from the negative."""
    from nodes.models.denoise import denoise as denoising
    from nodes.models.guidance import Guide, answer
    from nodes.models.schedules import sigmas

    guide = Guide(model, [text for text, _ in positive], [text for text, _ in negative], cfg)
    turns = denoising(
        guide,
        latent_image["samples"],
        sampler=sampler_name,
        sigmas=sigmas(model.levels, scheduler, steps, denoise),
        seed=seed,
        batch_index=latent_image.get("batch_index"),
        mask=latent_image.get("noise_mask"),
    )
    try:
        turn = next(turns)
        while True:
            step = Step(turn.index, turn.total, turn.request.key, turn.request, answer)
            turn = turns.send((yield step))
    except StopIteration as end:
        samples = end.value
    yield Step(steps, steps)
    return {**latent_image, "samples": samples}
