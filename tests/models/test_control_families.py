"""Control nets and adapters of SD 2.x and SDXL: their files, and what diffusers makes of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.control import Control, ControlNet, with_control
from nodes.models.families import original_names
from nodes.models.files.checkpoints import read_denoiser
from nodes.models.networks.control_net import SteeringNet, read_control_net, union_kind
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from tests.models.conftest import write_tensors
from tests.models.test_control import NETWORKS, hint, random
from tests.models.test_unet_families import CONTEXT, SD2, XL, Kind, denoiser_tensors, made, unet

SIGMA, POOLED = 2.0, 96
UNETS = {"SD2": SD2, "SDXL": XL | {"transformer_layers_per_block": [1, 2, 3]}}
UNION: dict[str, Any] = {"num_trans_channel": 64, "num_proj_channel": 64}


@pytest.fixture(scope="module", params=UNETS)
def steered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A family's settings, its model, and diffusers' network with the same weights."""
    settings = UNETS[request.param]
    theirs = made(Kind(settings, ""))
    path = tmp_path_factory.mktemp("unet") / "any.safetensors"
    write_tensors(path, denoiser_tensors(theirs))
    return settings, Denoiser.of(read_denoiser(path)).ready(), theirs


def control_net(kind: str, settings: dict[str, Any], **more: Any) -> Any:
    """A network with random weights everywhere that steers a UNet of such settings."""
    shared = {name: value for name, value in settings.items() if name != "up_block_types"}
    embedding = {"conditioning_embedding_out_channels": (4, 4, 8, 8)}
    return random(NETWORKS[kind](**shared, **embedding, **more), 3)


def original(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a control net by the names of the original code."""
    names = original_names.unet(weights.keys())
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if match := re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(.+)", name):
            theirs = f"zero_convs.{match[1]}.0.{match[2]}"
        elif match := re.fullmatch(r"controlnet_cond_embedding\.blocks\.(\d)\.(.+)", name):
            theirs = f"input_hint_block.{2 * int(match[1]) + 2}.{match[2]}"
        else:
            theirs = (
                names[name]
                .replace("controlnet_cond_embedding.conv_in", "input_hint_block.0")
                .replace("controlnet_cond_embedding.conv_out", "input_hint_block.14")
                .replace("controlnet_mid_block", "middle_block_out.0")
            )
        found[theirs] = weight
    return found


def told(settings: dict[str, Any]) -> tuple[Tensor, dict[str, Any], dict[str, Tensor] | None]:
    """A text, what stands beside it, and what diffusers' networks are given of that."""
    dice = torch.Generator().manual_seed(6)
    text = torch.randn(1, 7, CONTEXT, generator=dice)
    if "addition_embed_type" not in settings:
        return text, {}, None
    pooled = torch.randn(1, POOLED, generator=dice)
    sizes = torch.tensor([[64, 48, 3, 0, 64, 48]] * 2)
    options = {"pooled_output": pooled, "width": 48, "crop_h": 3}
    return text, options, {"text_embeds": pooled.expand(2, -1), "time_ids": sizes}


def noisy(rows: int = 8) -> Tensor:
    return torch.randn(2, 4, rows, rows, generator=torch.Generator().manual_seed(1))


def asked(model: Denoiser, positive: Conditioning, x: Tensor) -> Tensor:
    guider = cfg_guider(model, positive)
    for handle in guider.handles:
        assert isinstance(handle, SteeringNet)
        handle.ready()
    return evaluate([StepRequest(guider, x, torch.tensor(SIGMA))])[0]


def by_diffusers(
    model: Denoiser, theirs: Any, settings: dict[str, Any], x: Tensor, **more: Any
) -> Tensor:
    """The denoised latents, of a UNet that is given some residuals."""
    text, _, added = told(settings)
    sigma = torch.tensor([SIGMA] * len(x))
    given = model.space.network_input(x, sigma), model.space.timestep(sigma)
    words = text.expand(len(x), -1, -1)
    if added is not None:
        more["added_cond_kwargs"] = added
    with torch.no_grad():
        found = theirs(*given, encoder_hidden_states=words, return_dict=False, **more)[0]
    return model.space.denoised(x, found, sigma)


def residuals(
    model: Denoiser, net: Any, settings: dict[str, Any], x: Tensor, *given: Any
) -> dict[str, Any]:
    """What a control net adds, as diffusers' UNets are given it."""
    text, _, added = told(settings)
    sigma = torch.tensor([SIGMA] * len(x))
    start = model.space.network_input(x, sigma), model.space.timestep(sigma)
    words = text.expand(len(x), -1, -1)
    down, middle = net(*start, words, *given, added_cond_kwargs=added, return_dict=False)
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def planes(side: int = 64) -> Tensor:
    return hint(height=side, width=side).movedim(-1, 1).expand(2, -1, -1, -1)


def close(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("prefix", ["", "control_model.", None])
def test_a_control_net_of_either_names_adds_what_diffusers_adds(
    steered: Any, prefix: str | None, tmp_path: Path
):
    settings, model, theirs = steered
    net = control_net("controlnet", settings)
    tensors: dict[str, Tensor] = net.state_dict()
    if prefix is not None:
        tensors = {prefix + name: tensor for name, tensor in original(tensors).items()}
        assert ("label_emb.0.0.weight" in " ".join(tensors)) is ("addition_embed_type" in settings)
    path = write_tensors(tmp_path / "any.safetensors", tensors)
    text, options, _ = told(settings)
    control = Control(ControlNet(read_control_net(path)), hint(), 0.7)
    (positive,) = with_control([[(text, options)]], control)
    more = residuals(model, net, settings, noisy(), planes(), 0.7)
    expected = by_diffusers(model, theirs, settings, noisy(), **more)
    assert close(asked(model, positive, noisy()), expected)
    plain = by_diffusers(model, theirs, settings, noisy())
    assert not torch.allclose(plain, expected, rtol=1e-2)


@pytest.mark.parametrize("count", [6, 8])
@pytest.mark.parametrize("type", ["openpose", "segment", "repaint"])
def test_a_union_control_net_adds_what_diffusers_adds_for_its_kind_of_hint(
    count: int, type: str, tmp_path: Path
):
    settings = UNETS["SDXL"]
    theirs = made(Kind(settings, ""))
    model = Denoiser.of(
        read_denoiser(write_tensors(tmp_path / "unet.safetensors", denoiser_tensors(theirs)))
    ).ready()
    net = control_net("union", settings, num_control_type=count, **UNION)
    path = write_tensors(tmp_path / "any.safetensors", net.state_dict())
    read = read_control_net(path)
    if type == "repaint" and count == 6:
        with pytest.raises(ValueError, match="does not know 'repaint', but openpose, depth, "):
            union_kind(read, type)
        return
    kind = union_kind(read, type)
    assert kind is not None
    text, options, _ = told(settings)
    (positive,) = with_control([[(text, options)]], Control(ControlNet(read, kind), hint(), 0.7))
    types = torch.zeros(2, count)
    types[:, kind] = 1
    given = [planes()], types, [kind], 0.7
    more = residuals(model, net, settings, noisy(), *given)
    expected = by_diffusers(model, theirs, settings, noisy(), **more)
    assert close(asked(model, positive, noisy()), expected)


def adapter(settings: dict[str, Any]) -> Any:
    """A full adapter for a UNet of such settings."""
    channels = [*settings["block_out_channels"]]
    if len(channels) == 3:
        more = {"adapter_type": "full_adapter_xl", "downscale_factor": 16}
        return random(NETWORKS["adapter"](channels=[*channels, channels[-1]], **more), 4)
    return random(NETWORKS["adapter"](channels=channels, downscale_factor=8), 4)


def original_adapter(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of an adapter by the names of its authors, who number layers throughout."""
    found: dict[str, Tensor] = {}
    for name, weight in weights.items():
        plain = name.removeprefix("adapter.")
        if match := re.fullmatch(r"body\.(\d)\.resnets\.(\d)\.(.+)", plain):
            plain = f"body.{2 * int(match[1]) + int(match[2])}.{match[3]}"
        elif match := re.fullmatch(r"body\.(\d)\.in_conv\.(.+)", plain):
            plain = f"body.{2 * int(match[1])}.in_conv.{match[2]}"
        found[plain] = weight
    return found


def original_light(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same of a light adapter, whose levels its authors number alone."""
    plain = {name.removeprefix("adapter."): weight for name, weight in weights.items()}
    return {name.replace(".resnets.", ".body."): weight for name, weight in plain.items()}


@pytest.mark.parametrize("names", ["original", "diffusers"])
def test_an_adapter_of_either_names_adds_what_diffusers_adds(
    steered: Any, names: str, tmp_path: Path
):
    settings, model, theirs = steered
    net = adapter(settings)
    weights: dict[str, Tensor] = net.state_dict()
    path = tmp_path / "any.safetensors"
    write_tensors(path, original_adapter(weights) if names == "original" else weights)
    assert_adds(path, net, settings, model, theirs)


@pytest.mark.parametrize("names", ["original", "diffusers"])
def test_a_light_adapter_adds_what_diffusers_adds(names: str, tmp_path: Path):
    settings = unet(3, linear=False, attended=[True, True, False])
    theirs = made(Kind(settings, ""))
    write_tensors(tmp_path / "unet.safetensors", denoiser_tensors(theirs))
    model = Denoiser.of(read_denoiser(tmp_path / "unet.safetensors")).ready()
    light = NETWORKS["adapter"](
        channels=[64, 128], num_res_blocks=3, downscale_factor=8, adapter_type="light_adapter"
    )
    net = random(light, 4)
    weights: dict[str, Tensor] = net.state_dict()
    path = tmp_path / "any.safetensors"
    write_tensors(path, original_light(weights) if names == "original" else weights)
    assert_adds(path, net, settings, model, theirs)


def assert_adds(
    path: Path, net: Any, settings: dict[str, Any], model: Denoiser, theirs: Any
) -> None:
    """Check that the adapter in a file adds what diffusers' does to a UNet."""
    text, options, _ = told(settings)
    options |= {"height": 64} if options else {}
    control = Control(ControlNet(read_control_net(path)), hint(height=128, width=128), 0.7)
    (positive,) = with_control([[(text, options)]], control)
    inner = [part * 0.7 for part in net(planes(128))]
    more = {"down_intrablock_additional_residuals": inner}
    expected = by_diffusers(model, theirs, settings, noisy(16), **more)
    assert close(asked(model, positive, noisy(16)), expected)
    plain = by_diffusers(model, theirs, settings, noisy(16))
    assert not torch.allclose(plain, expected, rtol=1e-2)
