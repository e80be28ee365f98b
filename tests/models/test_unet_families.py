"""Families with a UNet: recognised by their headers, loaded, and asked as diffusers asks them.

The files are tiny, of random weights, in the names of the original code; widths are as small as
the format allows (heads of 64 numbers, groups of 32 channels).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders import single_file_utils
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from nodes.models.conditioning.inputs import InputsRequest
from nodes.models.families import original_names
from nodes.models.families.clip_layout import checkpoint_name, clip_layout
from nodes.models.files.checkpoints import read_checkpoint, read_denoiser
from nodes.models.files.clip_files import read_text_encoders
from nodes.models.files.pieces import NetworkSource
from nodes.models.files.tensor_files import Header, ModelFileError
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling import guiders
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.sigma_space import Discrete, Edm
from nodes.models.text.text_encoder import TextEncoder
from tests.models.conftest import read_tensors, write_tensors

NETWORK: Any = UNet2DConditionModel
CONVERTERS: Any = single_file_utils  # has no types
CONTEXT = 64


@dataclass(frozen=True)
class Kind:
    """A kind of model: the settings of its UNet, and what is said of it."""

    settings: dict[str, Any]
    family: str
    extra: int = 0


def unet(levels: int, *, linear: bool, attended: list[bool], **more: Any) -> dict[str, Any]:
    """Settings of a UNet of some levels, each with or without attention."""
    down = [f"{'CrossAttn' * on}DownBlock2D" for on in attended]
    up = [f"{'CrossAttn' * on}UpBlock2D" for on in reversed(attended)]
    return {
        "block_out_channels": [64, 128, 128, 128][:levels],
        "layers_per_block": 1,
        "down_block_types": down,
        "up_block_types": up,
        "cross_attention_dim": CONTEXT,
        "use_linear_projection": linear,
        "attention_head_dim": [1, 2, 2, 2][:levels] if linear else 8,
        **more,
    }


def sized(label: int) -> dict[str, Any]:
    return {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": label,
    }


SD1 = unet(2, linear=False, attended=[True, False])
SD2 = unet(2, linear=True, attended=[True, False])
XL = unet(3, linear=True, attended=[False, True, True], **sized(96 + 6 * 256))
REFINER = unet(3, linear=True, attended=[False, True, False], **sized(CONTEXT + 5 * 256))
SMALL = XL | {
    "mid_block_type": "UNetMidBlock2D",
    "transformer_layers_per_block": [1, [2], [3]],
    "reverse_transformer_layers_per_block": [[3, 2], [2, 1], 1],
}
KINDS = {
    "SD1": Kind(SD1, "Stable Diffusion 1.x"),
    "SD1 inpainting": Kind(SD1, "Stable Diffusion 1.x", 5),
    "InstructPix2Pix": Kind(SD1, "Stable Diffusion 1.x", 4),
    "SD2": Kind(SD2, "Stable Diffusion 2.x"),
    "SD2 inpainting": Kind(SD2, "Stable Diffusion 2.x", 5),
    "SD2 editing": Kind(SD2, "Stable Diffusion 2.x", 4),
    "SDXL": Kind(XL | {"transformer_layers_per_block": [1, 2, 3]}, "SDXL"),
    "SDXL inpainting": Kind(XL, "SDXL", 5),
    "SDXL editing": Kind(XL, "SDXL", 4),
    "refiner": Kind(REFINER | {"transformer_layers_per_block": [1, 2, 2]}, "SDXL refiner"),
    "smaller SDXL": Kind(SMALL, "SDXL"),
}


def made(kind: Kind) -> Any:
    torch.default_generator.manual_seed(5)
    return NETWORK(**kind.settings | {"in_channels": 4 + kind.extra}).eval()


def denoiser_tensors(module: Any) -> dict[str, Tensor]:
    """The weights of a UNet in the original names."""
    weights: dict[str, Tensor] = module.state_dict()
    names = original_names.unet(weights.keys())
    return {f"model.diffusion_model.{names[name]}": value for name, value in weights.items()}


def pooled(kind: Kind) -> Tensor | None:
    label = kind.settings.get("projection_class_embeddings_input_dim")
    if label is None:
        return None
    return torch.randn(1, label - 256 * (5 if kind.family == "SDXL refiner" else 6))


@pytest.mark.parametrize("name", KINDS)
def test_a_file_in_original_names_is_recognised_and_answers_as_diffusers_network(
    name: str, tmp_path: Path
):
    kind, theirs = KINDS[name], made(KINDS[name])
    path = write_tensors(tmp_path / "any_name.safetensors", denoiser_tensors(theirs))
    found = read_denoiser(path)
    assert found.family.name == kind.family
    model = Denoiser.of(found).ready()
    text, vector = torch.randn(1, 7, CONTEXT), pooled(kind)
    picture, mask = torch.randn(1, 4, 8, 8), torch.ones(1, 64, 64)
    options: dict[str, Any] = {"pooled_output": vector, "width": 48, "crop_h": 3}
    options |= {"concat_latent_image": picture, "concat_mask": mask} if kind.extra else {}
    x, sigma = torch.randn(2, 4, 8, 8), torch.tensor(2.0)
    guider = guiders.cfg_guider(model, [(text, options)])
    ours = evaluate([StepRequest(guider, x, sigma)])[0]

    given = [x / (sigma**2 + 1).sqrt()]
    if kind.extra == 5:
        given += [torch.ones(2, 1, 8, 8), found.latent.process_in(picture).expand(2, -1, -1, -1)]
    elif kind.extra == 4:
        given += [picture.expand(2, -1, -1, -1)]
    added = None
    if vector is not None:
        sizes = [64, 48, 3, 0] + ([6.0] if kind.family == "SDXL refiner" else [64, 48])
        added = {"text_embeds": vector.expand(2, -1), "time_ids": torch.tensor([sizes] * 2)}
    with torch.no_grad():
        noise = theirs(
            torch.cat(given, dim=1),
            model.space.timestep(sigma.reshape(1)),
            encoder_hidden_states=text.expand(2, -1, -1),
            added_cond_kwargs=added,
        ).sample
    assert torch.allclose(ours, x - noise * sigma, atol=1e-4)


@pytest.mark.parametrize("name", ["SD1", "SD2", "SDXL", "refiner"])
def test_names_become_what_diffusers_converter_makes_of_them(name: str):
    theirs = made(KINDS[name])
    tensors = denoiser_tensors(theirs)
    converted: dict[str, Tensor] = CONVERTERS.convert_ldm_unet_checkpoint(
        dict(tensors), {**theirs.config, "layers_per_block": 1}
    )
    assert converted.keys() == theirs.state_dict().keys()
    for ours, tensor in theirs.state_dict().items():
        assert torch.equal(converted[ours], tensor), ours


def test_weights_in_the_names_of_diffusers_are_a_denoiser_too(tmp_path: Path):
    theirs = made(KINDS["SDXL"])
    path = write_tensors(tmp_path / "unet.safetensors", theirs.state_dict())
    found = read_denoiser(path)
    assert found.family.name == "SDXL"
    assert found.source.config["transformer_layers_per_block"] == [1, 2, 3]


def marks(**tensors: Any) -> dict[str, Tensor]:
    return {name.replace("__", "."): torch.tensor(value) for name, value in tensors.items()}


def test_marks_in_a_file_say_how_sdxl_was_trained(tmp_path: Path):
    tensors = denoiser_tensors(made(KINDS["SDXL"]))

    def read(**more: Any) -> Any:
        return read_denoiser(write_tensors(tmp_path / "a.safetensors", tensors | marks(**more)))

    assert (read().space.prediction, read().latent.scaling_factor) == ("epsilon", 0.13025)
    assert read(v_pred=[]).space.prediction == "v_prediction"
    assert float(read(v_pred=[], ztsnr=[]).space.table[-1]) > 4000
    playground = read(edm_mean=[1.0, 2.0, 3.0, 4.0], edm_std=[2.0] * 4)
    assert isinstance(playground.space, Edm)
    assert float(
        playground.latent.process_in(torch.full((1, 4, 1, 1), 5.0))[0, 0]
    ) == pytest.approx(1.0)
    again = playground.latent.process_out(
        playground.latent.process_in(torch.randn(1, 4, 2, 2).abs())
    )
    assert float(again.min()) > -1e-5
    cos = read(edm_vpred__sigma_max=120.0).space
    assert isinstance(cos, Edm)
    assert (cos.high, cos.low, cos.data, cos.prediction) == (120.0, 0.002, 1.0, "v_prediction")


def test_the_spread_of_one_weight_says_that_sd2_predicts_the_velocity(tmp_path: Path):
    settings = unet(4, linear=True, attended=[True, True, True, False], layers_per_block=2)
    tensors = denoiser_tensors(made(Kind(settings, "")))
    name = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"
    for spread, prediction in ((0.05, "epsilon"), (0.1, "v_prediction")):
        tensors[name] = torch.tensor([-spread, spread] * 32)
        space = read_denoiser(write_tensors(tmp_path / "a.safetensors", tensors)).space
        assert isinstance(space, Discrete)
        assert space.prediction == prediction


def text_tensors(name: str, prefix: str, width: int, **more: Any) -> tuple[Any, dict[str, Tensor]]:
    """A text encoder, and its weights as checkpoints have them."""
    torch.default_generator.manual_seed(len(name) + width)
    config = CLIPTextConfig(
        vocab_size=49408, hidden_size=width, intermediate_size=32, num_hidden_layers=3,
        num_attention_heads=max(1, width // 64), bos_token_id=49406, eos_token_id=49407,
        projection_dim=width, hidden_act="quick_gelu" if name == "clip_l" else "gelu", **more,
    )  # fmt: skip
    kind: Any = CLIPTextModel if name == "clip_l" else CLIPTextModelWithProjection
    module = kind(config).half().float().eval()
    tensors: dict[str, dict[int, Tensor]] = {}
    for ours, weight in module.state_dict().items():
        plain = ours.removeprefix("text_model.")
        if plain.endswith("position_ids"):
            continue
        theirs, place = checkpoint_name(plain, name)
        tensors.setdefault(theirs, {})[place] = weight.T if theirs == "text_projection" else weight
    return module, {
        prefix + theirs: torch.cat([parts[n] for n in sorted(parts)])
        for theirs, parts in tensors.items()
    }


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A tiny SDXL checkpoint without a VAE, and its two text encoders."""
    first, of_l = text_tensors("clip_l", "conditioner.embedders.0.transformer.", 32)
    second, of_g = text_tensors("clip_g", "conditioner.embedders.1.model.", 32)
    tensors = denoiser_tensors(made(KINDS["SDXL"])) | of_l | of_g
    path = tmp_path_factory.mktemp("sdxl") / "xl.safetensors"
    return write_tensors(path, tensors), first, second


def test_the_texts_of_both_encoders_stand_side_by_side(sdxl: tuple[Path, Any, Any]):
    path, first, second = sdxl
    clip = TextEncoder.of(read_checkpoint(path).text_encoder).ready()
    (states, options), *rest = clip.encode("a cat")
    assert (states.shape, options["pooled_output"].shape, rest) == ((1, 77, 64), (1, 32), [])
    with torch.no_grad():
        for module, pad, part in ((first, 49407, states[..., :32]), (second, 0, states[..., 32:])):
            ids = torch.tensor([[49406, 320, 2368, 49407, *[pad] * 73]])
            told: Any = module(input_ids=ids, output_hidden_states=True)
            assert torch.allclose(part, told.hidden_states[-2], atol=1e-4)
    assert torch.allclose(options["pooled_output"], told.text_embeds, atol=1e-4)
    apart = clip.encode({"clip_l": "a dog", "clip_g": "a cat " * 60})[0][0]
    assert apart.shape[1] % 77 == 0, "the shorter gets empty chunks"
    assert apart.shape[1] > 77
    assert not torch.allclose(apart[:, :77, :32], states[..., :32])


def test_embeddings_are_of_one_encoder_or_of_both(sdxl: tuple[Path, Any, Any], tmp_path: Path):
    clip = TextEncoder.of(read_checkpoint(sdxl[0]).text_encoder).ready()
    both = {"clip_g": torch.randn(2, 32), "clip_l": torch.randn(2, 32)}
    path = write_tensors(tmp_path / "both.safetensors", both)
    found = clip.encode("embedding:both", lambda name: path)[0][0]
    plain = clip.encode("")[0][0]
    assert not torch.allclose(found[0, 1, :32], plain[0, 1, :32])
    assert not torch.allclose(found[0, 1, 32:], plain[0, 1, 32:])


def test_a_missing_half_of_the_text_encoder_is_named_when_it_is_needed(
    sdxl: tuple[Path, Any, Any], tmp_path: Path
):
    tensors = {
        name: tensor
        for name, tensor in read_tensors(sdxl[0]).items()
        if not name.startswith("conditioner.embedders.1.")
    }
    found = read_checkpoint(write_tensors(tmp_path / "half.safetensors", tensors))
    Denoiser.of(found.denoiser).load("cpu")
    with pytest.raises(ModelFileError, match=r"holds no CLIP-G, a half .* with DualCLIPLoader"):
        TextEncoder.of(found.text_encoder).load("cpu")


def test_a_checkpoint_without_a_pooled_text_or_of_another_width_is_refused_in_words(
    sdxl: tuple[Path, Any, Any],
):
    model = Denoiser.of(read_denoiser(sdxl[0]))
    x = torch.zeros(1, 4, 8, 8)
    with pytest.raises(ValueError, match=r"pooled text of 96 numbers .* has none"):
        model.inputs(InputsRequest(torch.zeros(1, 77, CONTEXT), {}, x))
    with pytest.raises(ValueError, match="has one of 5"):
        model.inputs(
            InputsRequest(torch.zeros(1, 77, CONTEXT), {"pooled_output": torch.ones(1, 5)}, x)
        )
    with pytest.raises(ValueError, match=r"768 wide and this model, SDXL, takes 64"):
        model.inputs(InputsRequest(torch.zeros(1, 77, 768), {}, x))


def test_rows_of_several_jobs_share_an_evaluation_each_with_its_own_sizes(tmp_path: Path):
    kind = KINDS["SDXL"]
    path = write_tensors(tmp_path / "xl.safetensors", denoiser_tensors(made(kind)))
    model = Denoiser.of(read_denoiser(path)).ready()
    requests: list[StepRequest] = []
    for seed, count in ((1, 1), (2, 2), (3, 1)):
        torch.default_generator.manual_seed(seed)
        options = {"pooled_output": pooled(kind), "width": 64 * seed}
        texts = [[(torch.randn(1, 7, CONTEXT), options)] for _ in range(2)]
        guider = guiders.cfg_guider(model, texts[0], texts[1], 4.0)
        requests.append(StepRequest(guider, torch.randn(count, 4, 8, 8), torch.tensor(3.0)))
    assert len({request.key for request in requests}) == 1
    together = evaluate(requests)
    for request, found in zip(requests, together, strict=True):
        assert torch.allclose(found, evaluate([request])[0], atol=1e-4)


def test_the_refiner_thinks_less_of_what_is_not_wanted(tmp_path: Path):
    kind = KINDS["refiner"]
    path = write_tensors(tmp_path / "r.safetensors", denoiser_tensors(made(kind)))
    model = Denoiser.of(read_denoiser(path))
    given = torch.zeros(1, 7, CONTEXT), {"pooled_output": pooled(kind)}, torch.zeros(1, 4, 8, 8)
    scores = [
        model.inputs(InputsRequest(*given, negative=n))["sizes"].tensor[0, -1]
        for n in (False, True)
    ]
    assert [float(score) for score in scores] == [6.0, 2.5]


def test_an_inpainting_model_without_conditioning_takes_the_latents_and_mask_of_the_sampler(
    tmp_path: Path,
):
    path = write_tensors(
        tmp_path / "i.safetensors", denoiser_tensors(made(KINDS["SD1 inpainting"]))
    )
    model = Denoiser.of(read_denoiser(path))
    x, clean, mask = torch.zeros(1, 4, 8, 8), torch.randn(1, 4, 8, 8), torch.zeros(1, 1, 8, 8)
    text = torch.zeros(1, 7, CONTEXT)
    seen = model.inputs(InputsRequest(text, {}, x, False, clean, mask))["concat"].tensor
    assert torch.equal(seen, torch.cat([mask, clean], dim=1))
    blank = model.inputs(InputsRequest(text, {}, x))["concat"].tensor
    assert float(blank[:, :1].min()) == 1


def test_text_encoders_come_from_files_of_their_own_in_either_order(tmp_path: Path):
    shapes = {
        "a": {"text_model.embeddings.token_embedding.weight": (49408, 768)},
        "b": {"token_embedding.weight": (49408, 1280)},
    }
    layers = {
        "a": "text_model.encoder.layers.0.mlp.fc1.weight",
        "b": "transformer.resblocks.0.mlp.c_fc.weight",
    }
    places = {
        "a": "text_model.embeddings.position_embedding.weight",
        "b": "positional_embedding",
    }
    paths: list[Path] = []
    for name, width in (("a", 768), ("b", 1280)):
        tensors = {next(iter(shapes[name])): torch.zeros(4, width, dtype=torch.half)}
        tensors |= {layers[name]: torch.zeros(8, width), places[name]: torch.zeros(77, width)}
        paths.append(write_tensors(tmp_path / f"{name}.safetensors", tensors))
    for order in (paths, paths[::-1]):
        found = read_text_encoders(order)
        assert [encoder.name for encoder in found.encoders] == ["clip_l", "clip_g"]
        assert found.encoders[1].layer == -2
    assert [encoder.name for encoder in read_text_encoders(paths[:1]).encoders] == ["clip_l"]
    assert [encoder.layer for encoder in read_text_encoders(paths[:1]).encoders] == [-1]


def test_fused_and_transposed_weights_go_there_and_back():
    width = 64
    shapes = {
        "transformer.resblocks.0.attn.in_proj_weight": (3 * width, width),
        "transformer.resblocks.0.mlp.c_fc.weight": (4 * width, width),
        "token_embedding.weight": (9, width),
        "positional_embedding": (7, width),
        "text_projection": (width, 32),
    }
    tensors = {name: torch.randn(shape) for name, shape in shapes.items()}
    layout = clip_layout(shapes, "gelu")
    assert layout is not None
    source = NetworkSource(
        Header(Path("x"), shapes, {}, ""), layout.pieces, "", layout.config, "text encoder"
    )
    fused = tensors["transformer.resblocks.0.attn.in_proj_weight"]
    key = source.weight(tensors, "encoder.layers.0.self_attn.k_proj.weight")
    assert torch.equal(key, fused[width : 2 * width])
    assert source.shape("text_projection.weight") == (32, width)
    back = source.tensors(lambda name: source.weight(tensors, name))
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_a_unet_that_is_built_otherwise_is_none_of_these(tmp_path: Path):
    tensors = denoiser_tensors(made(KINDS["SD1"]))
    video = "model.diffusion_model.input_blocks.1.0.time_stack.in_layers.0.weight"
    lacking = {name: t for name, t in tensors.items() if "output_blocks.1." not in name}
    for other in (tensors | {video: torch.zeros(1)}, lacking):
        with pytest.raises(ModelFileError):
            read_denoiser(write_tensors(tmp_path / "x.safetensors", other))
