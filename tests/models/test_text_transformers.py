"""Networks of pictures and videos by a text: recognised, loaded, asked as diffusers asks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.conditioning.inputs import InputsRequest
from nodes.models.conditioning.vision import Seen
from nodes.models.files.checkpoints import read_denoiser
from nodes.models.latents.video_formats import WAN
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling import guiders
from nodes.models.sampling.denoise import denoise
from nodes.models.sampling.evaluation import StepRequest, evaluate
from tests.models.conftest import write_tensors
from tests.models.text_transformers import CONTEXT, LEVEL, TEXT_KINDS, VIDEO, Kind, spelled
from tests.models.transformers import made
from tests.models.video_transformers import VIDEO_KINDS

KINDS = {**TEXT_KINDS, **VIDEO_KINDS}
SEEN = 257


def request(model: Denoiser, kind: Kind, x: Tensor, text: Tensor, options: dict[str, Any]) -> Any:
    guider = guiders.cfg_guider(model, [(text, options)])
    return StepRequest(guider, x, torch.tensor(LEVEL))


def written(kind: Kind, module: Any, path: Path) -> Path:
    tensors = spelled(module.state_dict(), kind.names, kind.fused)
    return write_tensors(path, tensors | {name: torch.empty(0) for name in kind.marks})


@pytest.mark.parametrize("name", KINDS)
def test_files_in_both_spellings_answer_as_diffusers_network(name: str, tmp_path: Path):
    kind = KINDS[name]
    theirs = made(kind.network, kind.settings)
    original = written(kind, theirs, tmp_path / "original.safetensors")
    published = write_tensors(tmp_path / "published.safetensors", dict(theirs.state_dict()))
    torch.default_generator.manual_seed(3)
    x = torch.randn(2, *kind.shape[1:])
    text, options = torch.randn(1, kind.tokens, CONTEXT), kind.options()
    with torch.no_grad():
        velocity = kind.answer(theirs, x, text.expand(2, -1, -1), options)
    for path in (original, published):
        found = read_denoiser(path)
        assert found.family.name == kind.family
        model = Denoiser.of(found).ready()
        ours = evaluate([request(model, kind, x, text, options)])[0]
        assert torch.allclose(ours, x - velocity * LEVEL, atol=1e-4)
        more = model.source.tensors(lambda weight: theirs.state_dict()[weight])
        assert {name for name in more if not name.startswith("__")} == {
            name for name in model.source.header.shapes if not name.startswith("__")
        }, "a saved file has all tensors again"


@pytest.mark.parametrize("name", ["Z-Image", "Lumina 2", "Qwen-Image", "Wan"])
def test_sides_that_are_no_whole_patches_begin_again(name: str, tmp_path: Path):
    kind = KINDS[name]
    path = written(kind, made(kind.network, kind.settings), tmp_path / "a.safetensors")
    model = Denoiser.of(read_denoiser(path)).ready()
    text, x = torch.randn(1, kind.tokens, CONTEXT), torch.randn(kind.shape)[..., :-1]
    found = evaluate([request(model, kind, x, text, {})])[0]
    whole = torch.cat([x, x[..., :1]], dim=-1)
    expected = evaluate([request(model, kind, whole, text, {})])[0]
    assert torch.allclose(found, expected[..., :-1], atol=1e-5)


def test_a_text_of_another_width_is_refused_in_words(tmp_path: Path):
    kind = KINDS["Z-Image"]
    path = written(kind, made(kind.network, kind.settings), tmp_path / "a.safetensors")
    model = Denoiser.of(read_denoiser(path))
    with pytest.raises(ValueError, match=r"768 wide and this model, Z-Image, takes 24"):
        model.inputs(InputsRequest(torch.zeros(1, 7, 768), {}, torch.zeros(kind.shape)))


def test_frames_that_a_mask_keeps_are_given_to_wan_5b_without_noise(tmp_path: Path):
    kind = KINDS["Wan 2.2 5B"]
    path = written(kind, made(kind.network, kind.settings), tmp_path / "a.safetensors")
    model = Denoiser.of(read_denoiser(path)).ready()
    start, mask = torch.randn(kind.shape), torch.ones(1, 1, 3, 4, 8)
    mask[:, :, 0] = 0
    guider = guiders.cfg_guider(model, [(torch.randn(1, 7, CONTEXT), {})])
    levels = torch.tensor([1.0, 0.5, 0.0])
    walk = denoise(guider, start, sampler="euler", sigmas=levels, seed=1, mask=mask)
    asked = next(walk)
    inside = model.latent.process_in(start)
    assert torch.allclose(asked.x[:, :, 0], inside[:, :, 0], atol=1e-5)
    assert not torch.allclose(asked.x[:, :, 1], inside[:, :, 1], atol=0.1)
    theirs: Any = model.network.module
    given = torch.full((1, 3 * 8), 1000.0)
    given[:, :8] = 0
    text = guider.groups[0][0].text
    with torch.no_grad():
        velocity = theirs(asked.x, given, text, return_dict=False)[0]
    assert torch.allclose(evaluate([asked])[0], asked.x - velocity, atol=1e-4)


def test_tokens_that_a_mask_keeps_have_no_time_in_ltx_video(tmp_path: Path):
    kind = KINDS["LTX-Video"]
    theirs = made(kind.network, kind.settings)
    path = written(kind, theirs, tmp_path / "a.safetensors")
    model = Denoiser.of(read_denoiser(path)).ready()
    x, text = torch.randn(kind.shape), torch.randn(1, 7, CONTEXT)
    mask = torch.ones(1, 1, *kind.shape[2:])
    mask[..., :2] = 0
    guider = guiders.cfg_guider(model, [(text, {})]).starting(x, mask, 1)
    found = evaluate([StepRequest(guider, x, torch.tensor(LEVEL))])[0]
    times, scale = mask.flatten(1) * LEVEL * 1000, (8 / 25, 32, 32)
    with torch.no_grad():
        velocity = theirs(
            x.flatten(2).transpose(1, 2), text, times, None, *kind.shape[2:],
            rope_interpolation_scale=scale, return_dict=False,
        )[0]  # fmt: skip
    velocity = velocity.transpose(1, 2).reshape(x.shape)
    assert torch.allclose(found, x - velocity * LEVEL, atol=1e-4)


def test_texts_of_hunyuan_video_15_need_neither_quotes_nor_pictures(tmp_path: Path):
    kind = KINDS["HunyuanVideo 1.5"]
    path = written(kind, made(kind.network, kind.settings), tmp_path / "a.safetensors")
    model = Denoiser.of(read_denoiser(path)).ready()
    x, text, options = torch.randn(kind.shape), torch.randn(1, 7, CONTEXT), kind.options()
    whole = evaluate([request(model, kind, x, text, options)])[0]
    for left_out in ("conditioning_byt5small", "clip_vision_output", "concat_latent_image"):
        fewer = {key: value for key, value in options.items() if key != left_out}
        found = evaluate([request(model, kind, x, text, fewer)])[0]
        assert found.isfinite().all()
        assert not torch.allclose(found, whole, atol=1e-4), left_out


def test_a_replaced_first_frame_of_hunyuan_video_is_refused_in_words(tmp_path: Path):
    kind = KINDS["HunyuanVideo"]
    path = written(kind, made(kind.network, kind.settings), tmp_path / "a.safetensors")
    model = Denoiser.of(read_denoiser(path))
    text, options = torch.zeros(1, 7, CONTEXT), {**kind.options(), "guiding_frame_index": 0}
    with pytest.raises(ValueError, match=r"replace the first frame are not supported"):
        model.inputs(InputsRequest(text, options, torch.zeros(kind.shape)))


def test_a_picture_network_of_wan_knows_which_frames_are_given(tmp_path: Path):
    kind = KINDS["Wan 2.2 picture to video"]
    path = written(kind, made(kind.network, kind.settings), tmp_path / "a.safetensors")
    model = Denoiser.of(read_denoiser(path))
    x, picture = torch.zeros(1, 16, 3, 4, 6), torch.randn(1, 16, 2, 4, 6)
    mask = torch.ones(1, 1, 3, 4, 6)
    mask[:, :, 0] = 0
    text = torch.zeros(1, 7, CONTEXT)
    options = {"concat_latent_image": picture, "concat_mask": mask}
    beside = model.inputs(InputsRequest(text, options, x))["concat"].tensor
    assert torch.equal(beside[:, :4], (1 - mask).expand(-1, 4, -1, -1, -1))
    assert torch.allclose(beside[:, 4:, :2], WAN.process_in(picture), atol=1e-5)
    assert not beside[:, 4:, 2].any(), "frames that no picture is given for are empty"
    assert not model.inputs(InputsRequest(text, {}, x))["concat"].tensor.any()


def test_what_was_seen_in_a_picture_may_be_missing(tmp_path: Path):
    kind = KINDS["Wan 2.1 picture to video"]
    path = written(kind, made(kind.network, kind.settings), tmp_path / "a.safetensors")
    model = Denoiser.of(read_denoiser(path)).ready()
    x, text = torch.randn(kind.shape), torch.randn(1, 7, CONTEXT)
    seen = Seen(torch.zeros(0), torch.randn(1, SEEN, 32), torch.zeros(0))
    without, with_it = (
        evaluate([request(model, kind, x, text, options)])[0]
        for options in ({}, {"clip_vision_output": seen})
    )
    assert without.isfinite().all()
    assert not torch.allclose(without, with_it, atol=1e-3)


def test_networks_of_wan_that_are_built_otherwise_are_not_taken_for_it(tmp_path: Path):
    kind = KINDS["Wan"]
    theirs = made(kind.network, {**kind.settings, **VIDEO})
    tensors = spelled(theirs.state_dict(), kind.names, kind.fused)
    path = write_tensors(
        tmp_path / "vace.safetensors", tensors | {"vace_blocks.0.norm3.weight": torch.ones(1)}
    )
    with pytest.raises(ValueError, match=r"looks like a Wan 2.1 VACE model"):
        read_denoiser(path)
