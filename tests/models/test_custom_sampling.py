"""Samplers put together from parts, through the engine, with the tiny model."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_utils import AysSchedules
from PIL import Image
from torch import Tensor

from engine.run.events import JobFinished, NodePreview
from engine.run.submission import Submission
from nodes import schedules
from nodes.models.sampling.samplers import Sampler
from nodes.models.sampling.schedules import flux2, part, turbo, written
from nodes.models.sampling.sigma_space import sigma_space
from tests.models.bench import Bench, Prompt, n, numbers, opened
from tests.models.conftest import read_tensors, write_tensors


@pytest.fixture
async def bench(tmp_path: Path, tiny_folder: Path) -> AsyncGenerator[Bench]:
    """A home whose only checkpoint, beside the built-in one, is the tiny model."""
    folder = tmp_path / "models" / "checkpoints" / "tiny"
    shutil.copytree(tiny_folder, folder)
    colors = [[0.3, 0, 0], [0, 0.3, 0], [0, 0, 0.3], [0, 0, 0], [0.5, 0.5, 0.5]]
    (folder / "vae" / "latent_rgb.json").write_text(json.dumps(colors))
    async with opened(tmp_path / "home", tmp_path / "models") as made:
        yield made


def parts(**more: Any) -> Prompt:
    """A model, two texts, blank latents and a plain KSampler."""
    return {
        "model": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "yes": n("CLIPTextEncode", text="a cat", clip=["model", 1]),
        "no": n("CLIPTextEncode", text="", clip=["model", 1]),
        "blank": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "plain": n("KSampler", **SAMPLING, seed=7, denoise=1.0, latent_image=["blank", 0]),
        "plain out": saved("plain", ["plain", 0]),
        **more,
    }


SAMPLING: dict[str, Any] = {
    "model": ["model", 0], "positive": ["yes", 0], "negative": ["no", 0], "steps": 6, "cfg": 3.0,
    "sampler_name": "euler", "scheduler": "normal",
}  # fmt: skip
CUSTOM = ("model", "positive", "negative", "cfg")


def saved(name: str, link: list[Any]) -> dict[str, Any]:
    return n("SaveLatent", samples=link, filename_prefix=name)


async def made(bench: Bench, prompt: Prompt, *names: str) -> list[Tensor]:
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry.outcome
    files = [bench.home / "output" / f"{name}_00001_.latent" for name in names]
    return [read_tensors(file)["latent_tensor"] for file in files]


def advanced(link: list[Any], start: int, end: int, *, noise: bool, rest: bool) -> dict[str, Any]:
    return n(
        "KSamplerAdvanced", **SAMPLING, noise_seed=7, latent_image=link, start_at_step=start,
        end_at_step=end, add_noise="enable" if noise else "disable",
        return_with_leftover_noise="enable" if rest else "disable",
    )  # fmt: skip


async def test_steps_taken_by_two_samplers_are_those_of_one(bench: Bench):
    prompt = parts(
        first=advanced(["blank", 0], 0, 2, noise=True, rest=True),
        second=advanced(["first", 0], 2, 10000, noise=False, rest=False),
        short=advanced(["blank", 0], 0, 2, noise=True, rest=False),
        late=advanced(["blank", 0], 6, 10000, noise=True, rest=False),
        out=saved("both", ["second", 0]),
        half=saved("half", ["first", 0]),
        cut=saved("cut", ["short", 0]),
        none=saved("none", ["late", 0]),
    )
    plain, both, half, cut, none = await made(bench, prompt, "plain", "both", "half", "cut", "none")
    assert torch.allclose(plain, both, atol=1e-5)
    assert float(half.std()) > 1.3 * float(plain.std()), "noise is left over"
    assert not torch.allclose(half, cut, atol=0.1)
    assert float(none.abs().sum()) == 0, "no steps, no change"


async def test_custom_samplers_do_what_the_plain_one_does(bench: Bench):
    prompt = parts(
        sigmas=n("BasicScheduler", model=["model", 0], scheduler="normal", steps=6, denoise=1.0),
        euler=n("KSamplerSelect", sampler_name="euler"),
        custom=n("SamplerCustom", **{key: SAMPLING[key] for key in CUSTOM}, add_noise=True,
                 noise_seed=7, sampler=["euler", 0], sigmas=["sigmas", 0],
                 latent_image=["blank", 0]),
        noise=n("RandomNoise", noise_seed=7),
        guider=n("CFGGuider", **{key: SAMPLING[key] for key in CUSTOM}),
        ancestral=n("SamplerEulerAncestral", eta=0.0, s_noise=1.0),
        advanced=n("SamplerCustomAdvanced", noise=["noise", 0], guider=["guider", 0],
                   sampler=["ancestral", 0], sigmas=["sigmas", 0], latent_image=["blank", 0]),
        split=n("SplitSigmas", sigmas=["sigmas", 0], step=4),
        high=n("SamplerCustomAdvanced", noise=["noise", 0], guider=["guider", 0],
               sampler=["euler", 0], sigmas=["split", 0], latent_image=["blank", 0]),
        still=n("DisableNoise"),
        low=n("SamplerCustomAdvanced", noise=["still", 0], guider=["guider", 0],
              sampler=["euler", 0], sigmas=["split", 1], latent_image=["high", 0]),
        a=saved("custom", ["custom", 0]),
        b=saved("denoised", ["custom", 1]),
        c=saved("advanced", ["advanced", 0]),
        d=saved("low", ["low", 0]),
        e=saved("high", ["high", 0]),
        f=saved("clear", ["high", 1]),
    )  # fmt: skip
    names = ("plain", "custom", "denoised", "advanced", "low", "high", "clear")
    plain, custom, denoised, plain_too, low, high, clear = await made(bench, prompt, *names)
    assert torch.allclose(plain, custom, atol=1e-5)
    assert torch.allclose(plain, denoised, atol=1e-5), "the last step goes to what was denoised"
    assert torch.allclose(plain, plain_too, atol=1e-5)
    assert torch.allclose(plain, low, atol=1e-5)
    assert float(high.std()) > float(clear.std())


async def test_whoever_asks_sees_the_picture_coming(bench: Bench):
    for method, wanted in (("none", False), ("latent2rgb", True), ("auto", True)):
        prompt = parts()
        prompt["plain"]["inputs"]["sampler_name"] = SHOWN_WITH[method]
        heard: list[bytes] = []
        job = await bench.engine.submit(Submission(prompt, extra={"preview_method": method}))
        await follow(bench, job.id, heard)
        assert bool(heard) == wanted, method
        for picture in heard:
            with Image.open(io.BytesIO(picture)) as file:
                assert (file.format, file.size) == ("JPEG", (64, 64))


SHOWN_WITH = {"none": "euler", "latent2rgb": "dpmpp_2m", "auto": "euler_ancestral"}
"""A sampler for each, so that no result is known already."""


async def follow(bench: Bench, id: str, heard: list[bytes]) -> None:
    """Collect the previews of a job until it ends."""
    import asyncio

    ended = asyncio.Event()

    def hear(job: Any, event: Any) -> None:
        if job is not None and job.id == id:
            if isinstance(event, NodePreview):
                heard.append(event.picture)
            if isinstance(event, JobFinished):
                ended.set()

    stop = bench.engine.add_listener(hear)
    entry = await bench.engine.history_entry(id)
    if entry is None:
        await ended.wait()
    stop()


async def test_pictures_are_sent_and_kept_nowhere(bench: Bench):
    prompt = {
        "1": n("EmptyImage", width=16, height=8, batch_size=2, color=0x00FF00),
        "2": n("SaveImageWebsocket", images=["1", 0]),
    }
    for _ in range(2):
        heard: list[bytes] = []
        job = await bench.engine.submit(Submission(prompt))
        await follow(bench, job.id, heard)
        assert len(heard) == 2, "sent again each time"
        with Image.open(io.BytesIO(heard[0])) as file:
            assert (file.format, file.size, file.getpixel((0, 0))) == ("PNG", (16, 8), (0, 255, 0))
    assert list((bench.home / "output").iterdir()) == []


async def test_an_embedding_is_read_from_its_folder_and_read_again_when_it_changes(
    bench: Bench, tmp_path: Path
):
    folder = tmp_path / "models" / "embeddings"
    folder.mkdir(parents=True, exist_ok=True)

    async def drawn(name: str) -> Tensor:
        prompt = parts(again=saved(name, ["plain", 0]))
        prompt["yes"]["inputs"]["text"] = "a (embedding:mine:1.2), cat"
        (found,) = await made(bench, prompt, name)
        return found

    without = await drawn("without")
    write_tensors(folder / "mine.safetensors", {"emb_params": torch.randn(2, 32)})
    ones = await drawn("ones")
    write_tensors(folder / "mine.safetensors", {"emb_params": torch.randn(2, 32)})
    minus = await drawn("minus")
    assert not torch.allclose(without, ones, atol=1e-5)
    assert not torch.allclose(ones, minus, atol=1e-5)


# --- levels ----------------------------------------------------------------------------------


def test_schedules_by_formula_are_the_reference(reference: Path):
    cases = json.loads((reference / "schedules.json").read_text())["scheduler_nodes"]
    made = {
        "KarrasScheduler": schedules.karras_schedule,
        "ExponentialScheduler": schedules.exponential_schedule,
        "PolyexponentialScheduler": schedules.polyexponential_schedule,
        "LaplaceScheduler": schedules.laplace_schedule,
        "VPScheduler": schedules.vp_schedule,
    }
    assert len(cases) >= 10
    for case in cases:
        found = made[case["node"]](**case["inputs"])
        assert found.numpy() == pytest.approx(case["sigmas"], rel=5e-6), case


def test_levels_are_cut_turned_and_written_down():
    down = torch.tensor([9.0, 5.0, 3.0, 1.0, 0.0])
    high, low = schedules.split_sigmas_by_share(sigmas=down, denoise=0.5)
    assert (numbers(high), numbers(low)) == ([9, 5, 3], [3, 1, 0])
    turned = schedules.flip_sigmas(sigmas=down)
    assert numbers(turned) == pytest.approx([0.0001, 1, 3, 5, 9])
    first = schedules.set_first_sigma(sigmas=down, sigma=20.0)
    assert numbers(first) == [20, 5, 3, 1, 0]
    assert numbers(down) == [9, 5, 3, 1, 0], "what came in is as it was"
    assert numbers(written("1, 0.5;-.25 and 3")) == [1, 0.5, -0.25, 3]
    assert numbers(written("none")) == []
    assert numbers(part(down, 1, 3, leftover=True)) == [5, 3, 1]
    assert numbers(part(down, 1, 3, leftover=False)) == [5, 3, 0]
    assert numbers(part(down, 4, 10000, leftover=False)) == []


def test_turbo_models_take_their_own_steps():
    known = sigma_space({})
    one = turbo(known, 1, 1.0)
    assert numbers(one) == pytest.approx([float(known.table[-1]), 0], rel=1e-5)
    two = turbo(known, 2, 0.5)
    expected = [float(known.table[499]), float(known.table[399]), 0]
    assert numbers(two) == pytest.approx(expected, rel=1e-5)


def test_the_shift_of_flux2_grows_with_the_picture():
    """Against the formula, worked out here for one size in plain floats."""
    tokens, steps = 4096, 4
    at_200 = 0.00016927 * tokens + 0.45666666
    at_10 = 8.73809524e-05 * tokens + 1.89833333
    slope = (at_200 - at_10) / 190
    shift = math.exp(slope * steps + at_200 - 200 * slope)
    times = [1.0, 0.75, 0.5, 0.25]
    expected = [shift / (shift + 1 / time - 1) for time in times]
    assert numbers(flux2(steps, tokens)) == pytest.approx([*expected, 0], rel=1e-6)
    assert float(flux2(4, 8192)[2]) > float(flux2(4, 4301)[2])


def test_ltx_video_gets_its_shifted_and_stretched_levels():
    """Against the formula in plain floats, as its makers have it."""
    steps, tokens = 4, 2560
    shift = math.exp(0.95 + (2.05 - 0.95) * (tokens - 1024) / (4096 - 1024))
    plain = [shift / (shift + 1 / time - 1) for time in (1.0, 0.75, 0.5, 0.25)]
    latent: Any = {"samples": torch.zeros(1, 128, 10, 16, 16)}
    found = schedules.ltxv_schedule(steps=steps, stretch=False, latent=latent)
    assert numbers(found) == pytest.approx([*plain, 0], rel=1e-6)
    stretched = [1 - (1 - level) * 0.9 / (1 - plain[-1]) for level in plain]
    found = schedules.ltxv_schedule(steps=steps, latent=latent)
    assert numbers(found) == pytest.approx([*stretched, 0], rel=1e-6)
    assert numbers(found)[-2] == pytest.approx(0.1)
    large: Any = {"samples": torch.zeros(1, 128, 16, 16, 16)}
    assert torch.equal(schedules.ltxv_schedule(), schedules.ltxv_schedule(latent=large))
    assert numbers(schedules.ltxv_schedule(steps=1)) == pytest.approx([1, 0])


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("SD1", "StableDiffusionSigmas"),
        ("SDXL", "StableDiffusionXLSigmas"),
        ("SVD", "StableDiffusionVideoSigmas"),
    ],
)
def test_aligned_steps_are_those_that_were_published(kind: str, key: str):
    ten = schedules.aligned_schedule(model_type=kind, steps=10)
    assert numbers(ten) == pytest.approx(AysSchedules[key], rel=1e-6)
    assert torch.equal(schedules.aligned_schedule(model_type=kind, denoise=0.3), ten[-4:])
    assert len(schedules.aligned_schedule(model_type=kind, denoise=0.0)) == 0
    twenty = schedules.aligned_schedule(model_type=kind, steps=20)
    assert numbers(twenty[::2]) == pytest.approx(numbers(ten), rel=1e-5)
    assert float(twenty[1]) == pytest.approx(float(ten[0] * ten[1]) ** 0.5, rel=1e-5)


def test_the_noise_of_lcm_changes_evenly_and_is_cut():
    sigmas = torch.tensor([4.0, 3.0, 2.0, 0.0])

    def ends(**numbers_: float) -> list[float]:
        walk = Sampler("lcm", numbers_).steps(
            torch.zeros(1), sigmas, lambda sigma, to: torch.ones(1), sigma_space({})
        )
        next(walk)
        found = [float(walk.send(torch.zeros(1)).x) for _ in range(2)]
        with pytest.raises(StopIteration):
            walk.send(torch.zeros(1))
        return found

    assert ends() == [3, 2]
    assert ends(s_noise=2.0, s_noise_end=0.0) == [6, 2]
    assert ends(s_noise=2.0) == [6, 4]
    spread = torch.tensor([-10.0, 0.0, 0.0, 0.0, 10.0])
    cutting = Sampler("lcm", {"noise_clip_std": 1.0})
    walk = cutting.steps(torch.zeros(5), sigmas, lambda sigma, to: spread, sigma_space({}))
    next(walk)
    cut = walk.send(torch.zeros(5)).x / 3
    assert numbers(cut)[-1] == pytest.approx(float(spread.std()), rel=1e-5)
