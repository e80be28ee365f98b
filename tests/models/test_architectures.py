"""Upscalers of the architectures that spandrel knows, found by their weights, never executed."""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.files.tensor_files import ModelFileError
from nodes.models.images.architectures import known
from nodes.models.images.upscaler import TILES, RestorerUpscaler, read_upscaler
from nodes.models.networks.tiles import finished
from tests.models.conftest import write_tensors

pytestmark = [
    pytest.mark.skipif(not known(), reason="spandrel is not installed"),
    pytest.mark.filterwarnings("ignore::UserWarning"),  # its networks use torch as it once was
]


def network(architecture: str, name: str, **settings: Any) -> Any:
    """A network with random weights, as spandrel builds it."""
    torch.default_generator.manual_seed(1)
    module = importlib.import_module(f"spandrel.architectures.{architecture}")
    return getattr(module, name)(**settings).eval().requires_grad_(False)


SMALL: dict[str, dict[str, Any]] = {
    "Compact": {"name": "Compact", "num_feat": 8, "num_conv": 2, "upscale": 2},
    "SPAN": {"name": "SPAN", "num_in_ch": 3, "num_out_ch": 3, "feature_channels": 16, "upscale": 2},
    "SwinIR": {
        "name": "SwinIR", "img_size": 16, "embed_dim": 12, "depths": [2], "num_heads": [2],
        "window_size": 4, "upscale": 2, "upsampler": "pixelshuffledirect",
    },
    "PLKSR": {"name": "RealPLKSR", "dim": 16, "n_blocks": 1, "upscaling_factor": 2,
              "kernel_size": 5},
    "SAFMN": {"name": "SAFMN", "dim": 8, "n_blocks": 1, "upscaling_factor": 2},
    "DAT": {
        "name": "DAT", "img_size": 16, "embed_dim": 48, "split_size": [2, 4], "depth": [2],
        "num_heads": [2], "upscale": 2, "expansion_factor": 2.0,
    },
    "HAT": {
        "name": "HAT", "img_size": 16, "embed_dim": 48, "depths": [1], "num_heads": [2],
        "window_size": 4, "upscale": 2, "upsampler": "pixelshuffle",
    },
    "OmniSR": {"name": "OmniSR", "num_feat": 16, "block_num": 1, "res_num": 1, "up_scale": 2,
                "window_size": 8},
}  # fmt: skip


def picture(height: int = 24, width: int = 40) -> Tensor:
    return torch.rand(1, height, width, 4, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("architecture", SMALL)
@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_a_network_is_known_by_its_weights(architecture: str, ending: str, tmp_path: Path):
    made = network(architecture, **SMALL[architecture])
    path = tmp_path / f"x.{ending}"
    if ending == "pth":
        torch.save({"params_ema": made.state_dict()}, path)
    else:
        write_tensors(path, made.state_dict())
    upscaler = read_upscaler(path)
    assert isinstance(upscaler, RestorerUpscaler)
    assert upscaler.architecture.id == architecture
    upscaler.ready()
    assert upscaler.factor == 2
    found = upscaler.enlarged(picture())
    expected = made(picture()[..., :3].movedim(-1, 1)).clamp(0, 1).movedim(1, -1)
    assert found.shape == (1, 48, 80, 3)
    assert torch.allclose(found, expected, atol=1e-5)


def test_thirty_and_more_architectures_are_known():
    assert known() >= 30


def test_a_network_for_grey_pictures_works_on_each_colour(tmp_path: Path):
    made = network("DnCNN", "DnCNN", in_nc=1, out_nc=1, nc=8, nb=8, act_mode="R")
    path = write_tensors(tmp_path / "x.safetensors", made.state_dict())
    upscaler = read_upscaler(path).ready()
    found = upscaler.enlarged(picture())
    assert found.shape == (1, 24, 40, 3)
    for color in range(3):
        grey = made(picture()[..., color][:, None])[:, 0].clamp(0, 1)
        assert torch.allclose(found[..., color], grey, atol=1e-5)


def test_weights_that_do_not_fit_the_network_they_look_like_are_refused(tmp_path: Path):
    compact = network("Compact", **SMALL["Compact"]).state_dict()
    compact["body.2.weight"] = torch.zeros(8, 7, 3, 3)
    path = write_tensors(tmp_path / "x.safetensors", compact)
    with pytest.raises(ModelFileError, match="its weights do not fit that network"):
        read_upscaler(path).ready()


def test_a_file_that_changes_before_it_is_loaded_is_refused(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    upscaler = read_upscaler(write_tensors(path, network("SPAN", **SMALL["SPAN"]).state_dict()))
    write_tensors(path, network("SAFMN", **SMALL["SAFMN"]).state_dict())
    with pytest.raises(ModelFileError, match="has changed since"):
        upscaler.ready()


class Evil:
    """A pickle that would write a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/soundstage-was-executed"),))


def test_an_upscaler_that_is_a_program_is_never_executed(tmp_path: Path):
    path = tmp_path / "x.pth"
    torch.save({"params": network("SPAN", **SMALL["SPAN"]).state_dict(), "x": Evil()}, path)
    with pytest.raises(ModelFileError):
        read_upscaler(path)
    path.write_bytes(pickle.dumps({"params": Evil()}))
    with pytest.raises(ModelFileError):
        read_upscaler(path)
    assert not Path("/tmp/soundstage-was-executed").exists()


class Cramped(RestorerUpscaler):
    """An upscaler on a device that holds tiles of 64 pixels alone, as a GPU says it."""

    def run(self, planes: Tensor) -> Tensor:
        if max(planes.shape[-2:]) > TILES[-1]:
            raise torch.OutOfMemoryError("as a device says it")
        return super().run(planes)


def test_memory_that_holds_no_large_tile_gets_smaller_ones(tmp_path: Path):
    made = network("Compact", **SMALL["Compact"])
    found = read_upscaler(write_tensors(tmp_path / "x.safetensors", made.state_dict()))
    assert isinstance(found, RestorerUpscaler)
    cramped = Cramped(found.header, found.architecture)
    cramped.ready()
    large = picture(70, 150)
    expected = made(large[..., :3].movedim(-1, 1)).clamp(0, 1).movedim(1, -1)
    made_in_tiles = cramped.enlarged(large)
    assert torch.allclose(made_in_tiles, expected, atol=2e-2)
    assert torch.allclose(made_in_tiles[:, :60, :60], expected[:, :60, :60], atol=1e-5)


def test_weights_that_are_no_numbers_are_told(tmp_path: Path):
    weights = network("SPAN", **SMALL["SPAN"]).state_dict()
    name = next(n for n in weights if n.endswith("bias"))
    weights[name] = torch.full_like(weights[name], float("nan"))
    upscaler = read_upscaler(write_tensors(tmp_path / "x.safetensors", weights))
    upscaler.ready()
    warnings: list[str] = []
    walk = upscaler.enlarging(picture(), warnings.append)
    assert not finished(walk).any()
    assert "1 of 1 pictures are black" in warnings[0]
