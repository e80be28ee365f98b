"""Networks that make pictures larger: both namings, wrapped files, tiles, what is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, leaky_relu

from engine.run.events import NodeProgress
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.images.esrgan import Esrgan, Shape
from nodes.models.images.upscaler import EsrganUpscaler, read_upscaler
from tests.models.bench import Prompt, n, opened
from tests.models.conftest import write_tensors

TWICE_DOUBLED = Shape(width=6, growth=4, blocks=2, doublings=2, gathered=1)


def weights(shape: Shape, seed: int = 1) -> dict[str, Tensor]:
    """Random weights of a network of that shape."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (torch.rand(tensor.shape, generator=generator) - 0.5) / 4
        for name, tensor in Esrgan(shape).state_dict().items()
    }


def repeating(shape: Shape) -> dict[str, Tensor]:
    """Weights that only repeat pixels: three channels go through, blocks add nothing."""
    made = {name: torch.zeros_like(tensor) for name, tensor in weights(shape).items()}
    for name, tensor in made.items():
        if name.endswith("weight") and not name.startswith(("body", "conv_body")):
            for channel in range(3):
                tensor[channel, channel, 1, 1] = 1
    return made


def first_named(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same by the names of the first release, for a factor of 4."""
    plain = {"conv_first": 0, "conv_up1": 3, "conv_up2": 6, "conv_hr": 8, "conv_last": 10}
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        parts = name.split(".")
        if parts[0] == "body":
            _, block, dense, conv, kind = parts
            renamed[f"model.1.sub.{block}.{dense.upper()}.{conv}.0.{kind}"] = tensor
        elif parts[0] == "conv_body":
            renamed[f"model.1.sub.2.{parts[1]}"] = tensor
        else:
            renamed[f"model.{plain[parts[0]]}.{parts[1]}"] = tensor
    return renamed


def by_the_paper(x: Tensor, w: dict[str, Tensor]) -> Tensor:
    """What the published network makes of [B, 3, H, W], written down step by step."""

    def conv(name: str, x: Tensor) -> Tensor:
        return conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    def dense(name: str, x: Tensor) -> Tensor:
        x1 = leaky_relu(conv(f"{name}.conv1", x), 0.2)
        x2 = leaky_relu(conv(f"{name}.conv2", torch.cat((x, x1), 1)), 0.2)
        x3 = leaky_relu(conv(f"{name}.conv3", torch.cat((x, x1, x2), 1)), 0.2)
        x4 = leaky_relu(conv(f"{name}.conv4", torch.cat((x, x1, x2, x3), 1)), 0.2)
        return conv(f"{name}.conv5", torch.cat((x, x1, x2, x3, x4), 1)) * 0.2 + x

    first = seen = conv("conv_first", x)
    for block in ("body.0", "body.1"):
        inner = seen
        for number in (1, 2, 3):
            inner = dense(f"{block}.rdb{number}", inner)
        seen = inner * 0.2 + seen
    seen = first + conv("conv_body", seen)
    for name in ("conv_up1", "conv_up2"):
        seen = leaky_relu(conv(name, interpolate(seen, scale_factor=2.0, mode="nearest")), 0.2)
    return conv("conv_last", leaky_relu(conv("conv_hr", seen), 0.2))


def esrgan(path: Path) -> EsrganUpscaler:
    upscaler = read_upscaler(path)
    assert isinstance(upscaler, EsrganUpscaler)
    return upscaler


def noise(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.rand(1, height, width, channels, generator=torch.Generator().manual_seed(3))


def test_both_namings_are_the_network_of_the_paper(tmp_path: Path):
    tensors = weights(TWICE_DOUBLED)
    picture = noise(9, 12)
    expected = by_the_paper(picture.movedim(-1, 1), tensors).clamp(0, 1).movedim(1, -1)
    for name, named in (("new", tensors), ("first", first_named(tensors))):
        path = write_tensors(tmp_path / f"{name}.safetensors", named)
        upscaler = esrgan(path)
        assert upscaler.shape == TWICE_DOUBLED
        found = upscaler.ready().enlarged(picture)
        assert found.shape == (1, 36, 48, 3)
        assert torch.allclose(found, expected, atol=1e-5), name


@pytest.mark.parametrize("wrapping", ["params_ema", "params", "state_dict"])
def test_files_as_trainers_leave_them_are_read(tmp_path: Path, wrapping: str):
    path = tmp_path / "x.pth"
    torch.save({wrapping: {f"module.{k}": v for k, v in weights(TWICE_DOUBLED).items()}}, path)
    assert esrgan(path).shape == TWICE_DOUBLED


@pytest.mark.parametrize(("gathered", "doublings", "factor"), [(1, 0, 1), (1, 1, 2), (2, 2, 2)])
def test_other_factors(tmp_path: Path, gathered: int, doublings: int, factor: int):
    shape = Shape(width=16, growth=4, blocks=1, doublings=doublings, gathered=gathered)
    path = write_tensors(tmp_path / "x.safetensors", weights(shape))
    upscaler = esrgan(path)
    assert (upscaler.shape, upscaler.shape.factor) == (shape, factor)
    assert upscaler.ready().enlarged(noise(7, 9, 4)).shape == (1, 7 * factor, 9 * factor, 3)


def repeater(tmp_path: Path) -> EsrganUpscaler:
    return esrgan(write_tensors(tmp_path / "r.safetensors", repeating(TWICE_DOUBLED)))


def test_tiles_leave_no_trace(tmp_path: Path):
    picture = noise(40, 1100)
    found = repeater(tmp_path).ready().enlarged(picture)
    repeated = picture.repeat_interleave(4, 1).repeat_interleave(4, 2)
    assert torch.allclose(found, repeated, atol=1e-5)


@pytest.mark.parametrize(
    "names",
    [
        {"layers.0.residual_group.weight": (3, 3)},
        {"model.0.weight": (4, 3, 3, 3), "model.2.weight": (4, 4, 3, 3)},
        {"conv_first.weight": (6, 5, 3, 3), "body.0.rdb1.conv1.weight": (4, 6, 3, 3)},
        {"conv_first.weight": (6, 3, 3, 3)},
    ],
)
def test_other_networks_are_refused(tmp_path: Path, names: dict[str, tuple[int, ...]]):
    tensors = {name: torch.zeros(shape) for name, shape in names.items()}
    path = write_tensors(tmp_path / "x.safetensors", tensors)
    with pytest.raises(ModelFileError, match="not an upscaler that can be loaded here"):
        read_upscaler(path)


def test_a_file_that_lacks_weights_is_named(tmp_path: Path):
    tensors = weights(TWICE_DOUBLED)
    del tensors["conv_hr.bias"]
    path = write_tensors(tmp_path / "x.safetensors", tensors)
    with pytest.raises(ModelFileError, match="the upscaler lacks 1 weights"):
        read_upscaler(path).ready()


def test_the_reference_networks_are_one_and_the_same(reference: Path, tmp_path: Path):
    command = [sys.executable, str(reference / "make_weights.py"), str(tmp_path)]
    subprocess.run([*command, "--only", "upscale_models/"], check=True)
    old, new = (
        esrgan(tmp_path / "upscale_models" / f"ref_esrgan_{name}.safetensors")
        for name in ("old", "new")
    )
    assert old.shape == new.shape
    picture = noise(8, 8)
    found = old.ready().enlarged(picture)
    assert found.shape == (1, 32, 32, 3)
    assert torch.equal(found, new.ready().enlarged(picture))


async def test_pictures_are_made_larger_one_after_the_other(tmp_path: Path):
    folder = tmp_path / "models" / "upscale_models"
    folder.mkdir(parents=True)
    write_tensors(folder / "r.safetensors", repeating(TWICE_DOUBLED))
    prompt: Prompt = {
        "1": n("EmptyImage", width=12, height=8, batch_size=3, color=0x336699),
        "2": n("UpscaleModelLoader", model_name="r.safetensors"),
        "3": n("ImageUpscaleWithModel", upscale_model=["2", 0], image=["1", 0]),
        "4": n("SaveImage", images=["3", 0], filename_prefix="large"),
    }
    told: list[object] = []
    async with opened(tmp_path / "home", tmp_path / "models") as bench:
        bench.engine.add_listener(lambda job, event: told.append(event))
        (entry,) = await bench.run(prompt)
        assert entry.outcome.status == "success", entry.outcome
        assert bench.image("large").shape == (32, 48, 3)
        assert bench.image("large")[5, 5].tolist() == pytest.approx([0.2, 0.4, 0.6], abs=0.004)
    assert NodeProgress("3", 2, 3) in told
