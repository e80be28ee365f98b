"""What torch says of this machine, with a GPU and without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.authoring.backend import Backend
from engine.authoring.registry import Registry
from nodes.models.networks.torch_devices import SLOW_IMPORTS, TorchDevices, has_driver
from tests.conftest import CHECKOUT


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


@pytest.mark.parametrize("file", ["nvidiactl", "nvidia0", "dxg", "kfd", "nvhost-gpu"])
def test_a_driver_is_known_by_its_files(tmp_path: Path, file: str):
    (tmp_path / "null").touch()
    assert has_driver(tmp_path) is (sys.platform != "linux")
    (tmp_path / file).touch()
    assert has_driver(tmp_path)


@pytest.mark.skipif(has_driver(Path("/dev")), reason="there may be an accelerator")
def test_torch_is_not_imported_where_there_is_no_accelerator():
    program = (
        "import sys\n"
        "from nodes.models.networks.torch_devices import TorchDevices\n"
        "devices = TorchDevices()\n"
        "devices.accelerators(), devices.facts(), devices.memory('cpu'), devices.release()\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_warming_imports_what_pictures_need():
    TorchDevices().warm()
    assert set(SLOW_IMPORTS) <= sys.modules.keys()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_memory_on_a_gpu_comes_back():
    backend = TorchDevices()
    held = torch.zeros(2**26, device="cuda:0")
    _, before = backend.memory("cuda:0")
    del held
    backend.release()
    assert backend.memory("cuda:0")[1] > before
