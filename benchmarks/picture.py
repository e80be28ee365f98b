"""The built-in picture model on this CPU: seconds for a picture."""

from __future__ import annotations

import time
from importlib.resources import as_file, files

import torch

from benchmarks.tables import Measures
from nodes.models.files.checkpoints import read_checkpoint
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling.denoise import denoise
from nodes.models.sampling.evaluation import evaluate
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.sampling.schedules import sigmas
from nodes.models.text.text_encoder import TextEncoder
from nodes.models.vae.autoencoder import Vae

RUNS = 5
SIDE, CFG = 128, 3.0


def main() -> None:
    """Measure and print."""
    measures = Measures(f"Built-in model, {SIDE} px, cfg {CFG}, {torch.get_num_threads()} threads")
    with as_file(files("nodes.models") / "demo") as folder:
        found = read_checkpoint(folder)
        began = time.perf_counter()
        model = Denoiser.of(found.denoiser).ready()
        clip, vae = TextEncoder.of(found.text_encoder).ready(), Vae(found.vae).ready()
        measures.add("import and load", [time.perf_counter() - began], "s")
    for steps in (4, 12, 20):
        seconds: list[float] = []
        for seed in range(RUNS):
            began = time.perf_counter()
            draw(model, clip, vae, steps, seed)
            seconds.append(time.perf_counter() - began)
        measures.add(f"{steps} steps of euler", seconds, "s")
    measures.print()


@torch.inference_mode()
def draw(model: Denoiser, clip: TextEncoder, vae: Vae, steps: int, seed: int) -> torch.Tensor:
    """One picture, float32 [1, SIDE, SIDE, 3]."""
    asked = cfg_guider(model, clip.encode("red apple"), clip.encode(""), CFG)
    latents = torch.zeros(1, 4, SIDE // 8, SIDE // 8)
    requests = denoise(
        asked,
        latents,
        sampler="euler",
        sigmas=sigmas(model.space, "normal", steps, 1.0),
        seed=seed,
    )
    denoised = None
    while True:
        try:
            request = next(requests) if denoised is None else requests.send(denoised)
        except StopIteration as end:
            return vae.decode(end.value.latents)
        denoised = evaluate([request])[0]


if __name__ == "__main__":
    main()
