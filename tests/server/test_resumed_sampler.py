"""A sampler that is killed goes on where it was, and ends with the same latents to the bit."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
import requests
import torch
from safetensors.torch import (
    load_file,  # pyright: ignore[reportUnknownVariableType] - its PathLike says not of what
)

from tests import patience
from tests.conftest import ServerFactory, Service
from tests.server.test_deadly_jobs import ended, post

STEPS = 120
Prompt = dict[str, Any]


def sampled(prefix: str, *, by_a_detour: bool = False) -> Prompt:
    """A picture's latents; by a detour they are the same, but no cache knows them."""

    def n(class_type: str, **inputs: Any) -> Prompt:
        return {"class_type": class_type, "inputs": inputs}

    return {
        "1": n("CheckpointLoaderSimple", ckpt_name="demo"),
        "2": n("CLIPTextEncode", clip=["1", 1], text="sailboat"),
        "3": n("CLIPTextEncode", clip=["1", 1], text=""),
        "4": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "5": n("RepeatLatentBatch", samples=["4", 0], amount=1),
        "6": n(
            "KSampler",
            model=["1", 0],
            positive=["2", 0],
            negative=["3", 0],
            latent_image=["5" if by_a_detour else "4", 0],
            sampler_name="dpmpp_2m_sde",
            scheduler="karras",
            denoise=1,
            seed=7,
            steps=STEPS,
            cfg=3,
        ),
        "7": n("SaveLatent", samples=["6", 0], filename_prefix=prefix),
    }


def saved(service: Service, job: str) -> torch.Tensor:
    """The latents that a job saved, when it has ended."""
    entry = ended(service, job)
    assert entry["status"]["status_str"] == "success", entry
    (file,) = entry["outputs"]["7"]["latents"]
    path = service.home / file["type"] / file["subfolder"] / file["filename"]
    return load_file(path)["latent_tensor"]


# With the service its worker ends, too: what is left is the same log.
@pytest.mark.parametrize(
    "victim", ["worker", pytest.param("service", marks=pytest.mark.exhaustive)]
)
def test_a_sampler_goes_on_where_it_was_killed(server: ServerFactory, victim: str):
    service = server()
    job = post(service, sampled("killed"))
    until = time.monotonic() + patience.SECONDS
    while not any(path.stat().st_size for path in (service.home / "step_logs").glob("*.steps")):
        assert time.monotonic() < until
        time.sleep(0.01)
    if victim == "worker":
        stats = requests.get(f"{service.url}/system_stats", timeout=patience.SECONDS).json()
        os.kill(stats["worker"]["pid"], signal.SIGKILL)
    else:
        service.process.kill()
        service.process.wait(patience.SECONDS)
        service = server(home=service.home)
    latents = saved(service, job)
    whole = saved(service, post(service, sampled("whole", by_a_detour=True)))
    assert torch.equal(latents, whole)
