"""What torch says of this machine, with a GPU and without."""

from __future__ import annotations

import sys

import pytest
import torch

from engine.authoring.backend import Backend
from engine.authoring.registry import Registry
from nodes.models.networks.torch_devices import SLOW_IMPORTS, TorchDevices, compute_dtype


def test_the_built_in_pack_brings_it():
    assert isinstance(Registry.installed().backend(), TorchDevices)


def test_devices_have_memory_and_names():
    backend: Backend = TorchDevices()
    devices = backend.accelerators()
    assert devices == [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    for device in (*devices, "cpu"):
        total, free = backend.memory(device)
        assert 0 < free <= total
    facts = backend.facts()
    assert facts["torch"] == torch.__version__
    assert len(facts["accelerators"]) == len(devices)
    backend.release()


def test_warming_imports_what_pictures_need():
    TorchDevices().warm()
    assert set(SLOW_IMPORTS) <= sys.modules.keys()


def test_networks_run_in_halves_on_a_gpu_only():
    assert compute_dtype("cpu") == compute_dtype("cuda:0", delicate=True) == torch.float32
    assert compute_dtype("cuda:0") == torch.float16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_memory_on_a_gpu_comes_back():
    backend = TorchDevices()
    held = torch.zeros(2**26, device="cuda:0")
    _, before = backend.memory("cuda:0")
    del held
    backend.release()
    assert backend.memory("cuda:0")[1] > before
