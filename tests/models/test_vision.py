"""Vision encoders and style models, against transformers' own numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from PIL import Image
from torch import Tensor, nn
from transformers.models.clip import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.siglip import SiglipVisionConfig, SiglipVisionModel

from nodes.models.conditioning.inputs import InputsRequest
from nodes.models.conditioning.style import StyleAdapter, StyleModel, read_style_model
from nodes.models.conditioning.unclip import noised_embedding
from nodes.models.conditioning.vision import Seen, VisionEncoder, read_vision_encoder
from nodes.models.families.family import Facts
from nodes.models.families.sdxl import SDXL
from nodes.models.families.vision_layout import vision_layout
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.sampling.sigma_space import Edm
from tests.models.bench import Prompt, n, opened
from tests.models.conftest import write_tensors

CLIP: Any = CLIPVisionModelWithProjection
SIGLIP: Any = SiglipVisionModel
L = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
     "num_attention_heads": 16, "patch_size": 14, "projection_dim": 768}  # fmt: skip
H = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32,
     "num_attention_heads": 16, "patch_size": 14, "projection_dim": 1024,
     "hidden_act": "gelu"}  # fmt: skip
G = {"hidden_size": 1664, "intermediate_size": 8192, "num_hidden_layers": 48,
     "num_attention_heads": 16, "patch_size": 14, "projection_dim": 1280,
     "hidden_act": "gelu"}  # fmt: skip
SO400M: dict[str, Any] = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27,
          "num_attention_heads": 16, "patch_size": 14, "image_size": 378}  # fmt: skip
TINY: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
        "num_attention_heads": 1, "patch_size": 8, "image_size": 32}  # fmt: skip


def random(module: Any) -> Any:
    generator = torch.Generator().manual_seed(3)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.2
    return module.eval().requires_grad_(False)


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def open_clip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights by OpenCLIP's names, beside those of a text encoder."""
    words = {
        "embeddings.class_embedding": "class_embedding",
        "embeddings.patch_embedding.weight": "conv1.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "pre_layrnorm.": "ln_pre.",
        "post_layernorm.": "ln_post.",
        "visual_projection.weight": "proj",
        "encoder.layers.": "transformer.resblocks.",
        "layer_norm": "ln_",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
        "self_attn.out_proj": "attn.out_proj",
    }
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        plain = name.removeprefix("vision_model.")
        for ours, theirs in words.items():
            plain = plain.replace(ours, theirs)
        if match := re.fullmatch(r"(transformer\..+)\.self_attn\.q_proj\.(weight|bias)", plain):
            parts = [tensors[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            found[f"visual.{match[1]}.attn.in_proj_{match[2]}"] = torch.cat(parts)
        elif "self_attn" not in plain:
            found[f"visual.{plain}"] = tensor.T if plain == "proj" else tensor
    found["transformer.resblocks.0.ln_1.weight"] = torch.zeros(5)
    return found


@pytest.mark.parametrize("settings", [L, {**L, "image_size": 336}, H, G])
@pytest.mark.parametrize("named", ["transformers", "open_clip"])
def test_clip_of_every_size_is_known_by_shapes_alone(settings: dict[str, Any], named: str):
    config = CLIPVisionConfig(**settings)
    with torch.device("meta"):
        theirs = CLIP(config)
        weights = theirs.state_dict()
        layout = vision_layout(
            {
                name: tuple(weight.shape)
                for name, weight in (
                    open_clip(weights) if named == "open_clip" else weights
                ).items()
            }
        )
        assert layout is not None
        assert layout.kind == "clip"
        ours = CLIP(CLIPVisionConfig(**layout.config))
    assert shapes(ours) == shapes(theirs)
    assert layout.pieces.keys() >= shapes(theirs).keys()
    assert layout.config["num_attention_heads"] == 16
    assert layout.config["hidden_act"] == config.hidden_act
    assert layout.config["image_size"] == config.image_size


def test_siglip_is_known_by_shapes_alone():
    with torch.device("meta"):
        weights = shapes(SIGLIP(SiglipVisionConfig(**SO400M)))
    layout = vision_layout({f"vision_model.{name}": shape for name, shape in weights.items()})
    assert layout is not None
    assert layout.kind == "siglip"
    assert layout.config.items() >= SO400M.items()


def picture(height: int = 40, width: int = 56) -> Tensor:
    return torch.rand(2, height, width, 4, generator=torch.Generator().manual_seed(1))


def read(folder: Path, tensors: dict[str, Tensor]) -> VisionEncoder:
    return read_vision_encoder(write_tensors(folder / "v.safetensors", tensors)).ready()


@pytest.mark.parametrize("named", ["transformers", "open_clip"])
def test_clip_sees_what_transformers_sees(tmp_path: Path, named: str):
    module = random(CLIP(CLIPVisionConfig(projection_dim=24, **TINY)))
    tensors = module.state_dict()
    encoder = read(tmp_path, open_clip(tensors) if named == "open_clip" else tensors)
    seen = encoder.see(picture(), crop=True)
    expected = module(encoder.prepared(picture(), crop=True), output_hidden_states=True)
    assert torch.allclose(seen.image_embeds, expected.image_embeds, atol=1e-5)
    assert torch.allclose(seen.last_hidden_state, expected.last_hidden_state, atol=1e-5)
    assert torch.allclose(seen.penultimate_hidden_states, expected.hidden_states[-2], atol=1e-5)
    assert seen["image_embeds"] is seen.image_embeds


@pytest.mark.parametrize("head", [True, False])
def test_siglip_sees_what_transformers_sees(tmp_path: Path, head: bool):
    module = random(SIGLIP(SiglipVisionConfig(vision_use_head=head, **TINY)))
    tensors = {f"vision_model.{name}": tensor for name, tensor in module.state_dict().items()}
    encoder = read(tmp_path, tensors)
    seen = encoder.see(picture(), crop=False)
    planes = encoder.prepared(picture(), crop=False)
    assert float(planes.min()) >= -1
    expected = module(planes, output_hidden_states=True)
    assert torch.allclose(seen.last_hidden_state, expected.last_hidden_state, atol=1e-5)
    assert torch.equal(seen.image_embeds, seen.last_hidden_state)


def test_pictures_are_cut_to_a_square_or_pressed_into_one(tmp_path: Path):
    module = random(CLIP(CLIPVisionConfig(projection_dim=24, **TINY)))
    encoder = read(tmp_path, module.state_dict())
    smooth = torch.linspace(0, 1, 64)[None, None, :, None].expand(1, 32, 64, 3)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    cut = encoder.prepared(smooth, crop=True) * std + mean
    pressed = encoder.prepared(smooth, crop=False) * std + mean
    assert torch.allclose(cut[0, 0, 0], smooth[0, 0, 16:48, 0], atol=2 / 255)
    grey = Image.fromarray((smooth[0, :, :, 0].numpy() * 255).round().astype("uint8"))
    by_pillow = torch.tensor(np.array(grey.resize((32, 32), Image.Resampling.BICUBIC)))[0]
    assert torch.allclose(pressed[0, 0, 0], by_pillow / 255, atol=3 / 255)
    assert torch.equal(encoder.prepared(smooth[:, :, :32], crop=True), encoder.prepared(
        smooth[:, :, :32], crop=False))  # fmt: skip


@pytest.mark.parametrize(
    "tensors",
    [
        {"x": (3, 3)},
        {"vision_model.embeddings.patch_embedding.weight": (8, 3, 4, 4)},
        {"conv1.weight": (8, 3, 4, 4)},
    ],
)
def test_what_does_not_see_is_refused(tmp_path: Path, tensors: dict[str, tuple[int, ...]]):
    made = {name: torch.zeros(shape) for name, shape in tensors.items()}
    with pytest.raises(ModelFileError, match="not a vision encoder that can be loaded here"):
        read(tmp_path, made)
    with pytest.raises(ModelFileError, match="not a style model; it looks like"):
        read_style_model(tmp_path / "v.safetensors")


def style(folder: Path) -> StyleModel:
    torch.default_generator.manual_seed(4)
    module = random(StyleAdapter(tokens=4, width=64, context=48, layers=2, inner=96))
    return read_style_model(write_tensors(folder / "s.safetensors", module.state_dict()))


def by_the_paper(seen: Tensor, w: dict[str, Tensor]) -> Tensor:
    """What the published style adapter makes of [1, n, 64], written down step by step."""
    norm, linear = nn.functional.layer_norm, nn.functional.linear

    def normed(x: Tensor, name: str) -> Tensor:
        return norm(x, (64,), w[f"{name}.weight"], w[f"{name}.bias"])

    x = normed(torch.cat([seen, w["style_embedding"]], dim=1), "ln_pre")
    for layer in ("transformer_layes.0", "transformer_layes.1"):
        y = normed(x, f"{layer}.ln_1")
        mixed = linear(y, w[f"{layer}.attn.in_proj_weight"], w[f"{layer}.attn.in_proj_bias"])
        q, k, v = (part.reshape(1, -1, 8, 8).transpose(1, 2) for part in mixed.chunk(3, dim=-1))
        y = ((q @ k.transpose(2, 3) / 8**0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + linear(y, w[f"{layer}.attn.out_proj.weight"], w[f"{layer}.attn.out_proj.bias"])
        y = linear(normed(x, f"{layer}.ln_2"), w[f"{layer}.mlp.c_fc.weight"],
                   w[f"{layer}.mlp.c_fc.bias"])  # fmt: skip
        y = y * torch.sigmoid(1.702 * y)
        x = x + linear(y, w[f"{layer}.mlp.c_proj.weight"], w[f"{layer}.mlp.c_proj.bias"])
    return normed(x[:, -4:], "ln_post") @ w["proj"]


def test_a_style_adapter_makes_words_of_what_was_seen(tmp_path: Path):
    module = random(CLIP(CLIPVisionConfig(projection_dim=24, **TINY)))
    seen = read(tmp_path, module.state_dict()).see(picture()[:1], crop=True)
    adapter = style(tmp_path).ready()
    words = adapter.words(seen)
    assert words.shape == (1, 4, 48)
    expected = by_the_paper(seen.last_hidden_state, adapter.network.module.state_dict())
    assert torch.allclose(words, expected, atol=1e-4)


def test_redux_makes_a_word_of_each_token(tmp_path: Path):
    shapes = {"redux_up.weight": (96, 64), "redux_up.bias": (96,), "redux_down.weight": (40, 96),
              "redux_down.bias": (40,)}  # fmt: skip
    weights = {name: torch.randn(shape) for name, shape in shapes.items()}
    redux = read_style_model(write_tensors(tmp_path / "r.safetensors", weights)).ready()
    module = random(SIGLIP(SiglipVisionConfig(**TINY)))
    encoder = read(tmp_path, {f"vision_model.{n}": t for n, t in module.state_dict().items()})
    seen = encoder.see(picture(), crop=True)
    linear = nn.functional.linear
    inner = linear(seen.last_hidden_state, weights["redux_up.weight"], weights["redux_up.bias"])
    inner = inner * torch.sigmoid(inner)
    expected = linear(inner, weights["redux_down.weight"], weights["redux_down.bias"])
    assert torch.allclose(redux.words(seen), expected.reshape(1, -1, 40), atol=1e-3)


async def test_what_was_seen_goes_behind_a_text(tmp_path: Path):
    models = tmp_path / "models"
    (models / "clip_vision").mkdir(parents=True)
    (models / "style_models").mkdir()
    module = random(CLIP(CLIPVisionConfig(projection_dim=24, **TINY)))
    write_tensors(models / "clip_vision" / "v.safetensors", module.state_dict())
    style(models / "style_models")
    text = torch.zeros(1, 7, 48)
    (models / "embeddings").mkdir()
    write_tensors(models / "embeddings" / "t.safetensors", {"conditioning": text})

    def prompt(**changed: Any) -> Prompt:
        return {
            "1": n("EmptyImage", width=40, height=32, batch_size=2, color=0x336699),
            "2": n("CLIPVisionLoader", clip_name="v.safetensors"),
            "3": n("CLIPVisionEncode", clip_vision=["2", 0], image=["1", 0], crop="center"),
            "4": n("StyleModelLoader", style_model_name="s.safetensors"),
            "5": n("ConditioningLoader", conditioning_name="t.safetensors"),
            "6": n("StyleModelApply", conditioning=["5", 0], style_model=["4", 0],
                   clip_vision_output=["3", 0], **{"strength": 1.0, "strength_type": "multiply",
                                                   **changed}),
            "7": n("unCLIPConditioning", conditioning=["6", 0], clip_vision_output=["3", 0],
                   strength=1.0, noise_augmentation=0.1),
            "8": n("PreviewAny", source=["7", 0]),
        }  # fmt: skip

    async with opened(tmp_path / "home", models) as bench:
        (good,) = await bench.run(prompt())
        (bad,) = await bench.run(prompt(strength=0.5, strength_type="attn_bias"))
    assert good.outcome.status == "success", good.outcome
    assert bad.outcome.failure is not None
    assert "attn_bias with a strength other than 1 is for FLUX.1" in bad.outcome.failure.message


def seen_as(*embeddings: Tensor) -> Seen:
    batch = torch.stack(embeddings)
    return Seen(batch[:, None], batch[:, None], batch)


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
def test_a_picture_that_was_seen_gets_noise_and_its_level(noise: float):
    scheduler: Any = DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")
    embedding, mean, std = torch.randn(64), torch.randn(64), torch.rand(64) + 0.5
    level = round(999 * noise)
    drawn = torch.randn(1, 64, generator=torch.Generator().manual_seed(90))
    scaled = (embedding[None] - mean) / std
    noised = scheduler.add_noise(scaled, drawn, torch.tensor([level])) * std + mean
    told = get_timestep_embedding(torch.tensor([level]), 64, flip_sin_to_cos=True,
                                  downscale_freq_shift=0)  # fmt: skip
    given = {"clip_vision_output": seen_as(embedding), "strength": 0.7, "noise_augmentation": noise}
    found = noised_embedding([given], 100, mean, std)
    assert torch.allclose(found, torch.cat([noised, told], dim=1) * 0.7, atol=1e-4)


def test_several_pictures_are_one_vector_with_a_little_noise():
    first, second, third = (torch.randn(64) for _ in range(3))
    given = [
        {"clip_vision_output": seen_as(first, second), "strength": 0.5, "noise_augmentation": 0.0},
        {"clip_vision_output": seen_as(third), "strength": -0.25, "noise_augmentation": 0.3},
    ]
    parts = [
        noised_embedding([{**of_one, "clip_vision_output": seen_as(embedding)}], 100)
        for of_one, embedding in ((given[0], first), (given[0], second), (given[1], third))
    ]
    whole = seen_as(torch.stack(parts).sum(dim=0)[0, :64])
    expected = noised_embedding(
        [{"clip_vision_output": whole, "strength": 1.0, "noise_augmentation": 0.05}], 100
    )
    assert torch.allclose(noised_embedding(given, 100), expected, atol=1e-5)


def test_sdxl_is_given_what_was_seen_in_the_place_of_the_pooled_text():
    embedding, text = torch.randn(1280), torch.randn(1, 77, 2048)
    given = {"clip_vision_output": seen_as(embedding), "strength": 1.0, "noise_augmentation": 0.1}
    options = {"pooled_output": torch.randn(1, 1280), "unclip_conditioning": [given]}
    config = {"in_channels": 4, "projection_class_embeddings_input_dim": 1280 + 6 * 256}
    facts = Facts(SDXL.name, config, SDXL.latent, Edm())
    request = InputsRequest(text, options, torch.zeros(1, 4, 8, 8), seed=100)
    found = SDXL.inputs(request, facts)["pooled"].tensor
    assert torch.equal(found, noised_embedding([given], 100)[:, :1280])
    plain = replace(request, options={"pooled_output": options["pooled_output"]})
    assert SDXL.inputs(plain, facts)["pooled"].tensor is options["pooled_output"]
    short = replace(request, options={"unclip_conditioning": [
        {**given, "clip_vision_output": seen_as(torch.randn(768))}]})  # fmt: skip
    with pytest.raises(ValueError, match="is given a pooled text of 1280 numbers"):
        SDXL.inputs(short, facts)
