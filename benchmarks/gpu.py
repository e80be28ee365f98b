"""What a GPU does with models of published shapes and random weights, in less than eight minutes.

    python -m benchmarks.gpu          # on the GPU; without one it says so
    python -m benchmarks.gpu --tiny   # small networks on whatever is there: does it still run?

Jobs go through the engine (validation, queue, scheduler, lane, disk) with the worker in this
process. `--json FILE` keeps the numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import nodes
from benchmarks import random_models
from benchmarks.random_models import SD15, SDXL, Shape
from benchmarks.tables import Measures
from engine.authoring.registry import Registry
from engine.run.engine import Engine, Submission
from engine.run.events import JobFinished
from engine.run.local import LocalWorker
from engine.store.folders import Folders
from nodes.models.files.checkpoints import read_checkpoint
from nodes.models.networks.denoiser import Denoiser
from nodes.models.text.text_encoder import TextEncoder
from nodes.models.vae.handles import vae_of

STEPS = 20
RUNS, TINY_RUNS = 5, 2
MIXED = 32  # jobs at once, of three sizes and four counts of steps
# Pictures a second of 20 steps with guidance on an H200, as published for diffusers' pipelines.
PUBLISHED = {"sd15": 22.8, "sdxl": 2.81}
GB = 1e9

Prompt = dict[str, dict[str, Any]]


@dataclass
class Found:
    """Measured values in the order of their rows: name, values, unit, goal."""

    rows: list[tuple[str, list[float], str, str]] = field(default_factory=list[Any])

    def add(self, name: str, values: Sequence[float], unit: str, goal: str = "") -> None:
        """One row."""
        self.rows.append((name, list(values), unit, goal))


def job(shape: Shape, seed: int, steps: int = STEPS, side: int = 0, lora: str = "") -> Prompt:
    """A picture of a model, saved as a latent's decoded file."""
    side = side or shape.side

    def n(class_type: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": class_type, "inputs": inputs}

    sampler: dict[str, Any] = {
        "seed": seed,
        "steps": steps,
        "cfg": 7.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
    }
    links = {"positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    prompt = {
        "1": n("CheckpointLoaderSimple", ckpt_name=shape.name),
        "2": n("CLIPTextEncode", text="a lighthouse at dusk", clip=["1", 1]),
        "3": n("CLIPTextEncode", text="", clip=["1", 1]),
        "4": n("EmptyLatentImage", width=side, height=side, batch_size=1),
        "5": n("KSampler", model=["8" if lora else "1", 0], **links, **sampler),
        "6": n("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": n("PreviewImage", images=["6", 0]),
    }
    if lora:
        prompt["8"] = n("LoraLoaderModelOnly", model=["1", 0], lora_name=lora, strength_model=1.0)
    return prompt


@dataclass
class Bench:
    """An engine that runs jobs and says how long they took."""

    engine: Engine

    async def run(self, *prompts: Prompt) -> float:
        """Seconds until all of some jobs, submitted at once, have ended.

        Raises:
            RuntimeError: one failed.
        """
        ended: dict[str, JobFinished] = {}
        changed = asyncio.Event()

        def hear(one: Any, event: Any) -> None:
            if one is not None and isinstance(event, JobFinished):
                ended[one.id] = event
                changed.set()

        remove = self.engine.add_listener(hear)
        began = time.perf_counter()
        ids = [(await self.engine.submit(Submission(prompt))).id for prompt in prompts]
        while not ended.keys() >= set(ids):
            await changed.wait()
            changed.clear()
        seconds = time.perf_counter() - began
        remove()
        failed = [event for event in ended.values() if event.status != "success"]
        if failed:
            raise RuntimeError(f"a job did not succeed: {failed[0].failure}")
        return seconds


def peak(device: str) -> float:
    """GB of the device's memory at its highest since the last call; 0 on a CPU."""
    if device == "cpu":
        return 0.0
    found = torch.cuda.max_memory_allocated() / GB
    torch.cuda.reset_peak_memory_stats()
    return found


def planned(folder: Path, device: str) -> float:
    """GB that the engine says a model's weights take on the device."""
    found = read_checkpoint(folder)
    handles = (Denoiser.of(found.denoiser), TextEncoder.of(found.text_encoder), vae_of(found.vae))
    return sum(handle.nbytes(device) for handle in handles) / GB


async def measure(
    shape: Shape, bench: Bench, folder: Path, device: str, found: Found, runs: int
) -> None:
    """Everything about one model."""
    name = shape.name
    found.add(f"{name}: weights, planned", [planned(folder, device)], "GB")
    peak(device)
    found.add(f"{name}: load and first picture", [await bench.run(job(shape, 0))], "s")
    singles = [await bench.run(job(shape, seed)) for seed in range(1, runs + 1)]
    found.add(f"{name}: a picture of {shape.side} px, {STEPS} steps", singles, "s")
    goal = PUBLISHED.get(name)
    if goal:
        share = [1 / seconds / goal for seconds in singles]
        found.add(f"{name}: share of the published {goal} pictures/s", share, "x", ">= 0.5")
    if device != "cpu":
        found.add(f"{name}: peak memory of that", [peak(device)], "GB")
    loras = [f"{name}-{place}.safetensors" for place in range(2)]
    for lora in loras:
        await bench.run(job(shape, 90, steps=1, lora=lora))
    swaps = [await bench.run(job(shape, 91 + n, steps=1, lora=loras[n % 2])) for n in range(runs)]
    plain = [await bench.run(job(shape, 81 + n, steps=1)) for n in range(runs)]
    swap = statistics.median(swaps) - statistics.median(plain)
    found.add(f"{name}: one LoRA for another", [1e3 * max(0.0, swap)], "ms", "<= 20 ms")


async def mixed(shape: Shape, bench: Bench, found: Found, count: int) -> None:
    """Many jobs of different sizes and steps at once, against the same ones in turn."""
    sizes = [shape.side, shape.side * 3 // 4, shape.side // 2]

    def jobs(seed: int, many: int) -> list[Prompt]:
        return [
            job(shape, seed + n, steps=STEPS - n % 4, side=sizes[n % 3] // 64 * 64 or 64)
            for n in range(many)
        ]

    few = max(3, count // 8)
    alone = sum([await bench.run(prompt) for prompt in jobs(1000, few)]) / few
    together = await bench.run(*jobs(2000, count))
    found.add(f"{shape.name}: {count} mixed jobs at once", [count / together], "pictures/s")
    found.add(f"{shape.name}: that against one after another", [alone * count / together], "x")


async def run(tiny: bool, device: str) -> Found:
    """All of it on a home that is removed again."""
    found = Found()
    shapes = [random_models.tiny(shape) if tiny else shape for shape in (SD15, SDXL)]
    with tempfile.TemporaryDirectory(prefix="soundstage-gpu-") as place:
        home, models = Path(place) / "home", Path(place) / "models"
        for shape in shapes:
            began = time.perf_counter()
            dtype = torch.float32 if device == "cpu" else torch.float16
            folder = models / "checkpoints" / shape.name
            size = random_models.write(shape, folder, device, dtype)
            for number in range(2):
                file = models / "loras" / f"{shape.name}-{number}.safetensors"
                random_models.write_lora(shape, file, number)
            seconds = time.perf_counter() - began
            found.add(f"{shape.name}: {size / GB:.2f} GB of random weights made", [seconds], "s")
        if device != "cpu":
            torch.cuda.empty_cache()
        registry = Registry()
        registry.add_pack(nodes)
        placed = {"models": models}
        worker = LocalWorker(registry, Folders(home, registry.bundled, placed))
        engine = await Engine.open(home, registry=registry, worker=worker, folder_overrides=placed)
        try:
            bench = Bench(engine)
            for shape in shapes:
                folder = models / "checkpoints" / shape.name
                await measure(shape, bench, folder, device, found, TINY_RUNS if tiny else RUNS)
            await mixed(shapes[0], bench, found, 4 if tiny else MIXED)
        finally:
            await engine.close()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small networks, on a CPU too")
    parser.add_argument("--json", type=Path, help="where the numbers go, too")
    asked = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not asked.tiny:
        parser.error("torch finds no CUDA device here; --tiny runs on the CPU")
    found = asyncio.run(run(asked.tiny, device))
    title = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    measures = Measures(f"Models of published shapes, random weights, {title}")
    for row in found.rows:
        measures.add(*row)
    measures.print()
    if asked.json:
        keys = ("name", "values", "unit", "goal")
        rows = [dict(zip(keys, row, strict=True)) for row in found.rows]
        asked.json.write_text(json.dumps({"device": title, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
