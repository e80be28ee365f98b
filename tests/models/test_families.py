"""Families told by headers, and refused by name before a prompt waits."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nodes
from engine.authoring.registry import Registry
from engine.graph.errors import PromptError
from engine.graph.validate import validate
from engine.run.engine import plain_config
from engine.store.folders import Folders
from nodes.models.families.detection import (
    DENOISERS,
    ENCODERS,
    LORAS,
    OTHERS,
    SIGN,
    VAES,
    denoiser_family,
    encoder_family,
    looks,
    lora_family,
    vae_family,
)
from nodes.models.files.unfit import unfit_checkpoint, unfit_lora

Shapes = dict[str, tuple[int, ...]]

TO_TEXT = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
KEY_NORM = "double_blocks.0.img_attn.norm.key_norm.scale"
HUNYUAN = "txt_in.individual_token_refiner.blocks.0.norm1.weight"
# As the published files have it, of the names that tell them apart.
FILES: dict[str, Shapes] = {
    "SDXL": {"input_blocks.0.0.weight": (320, 4, 3, 3), "label_emb.0.0.weight": (1280, 2816)},
    "SDXL refiner": {"label_emb.0.0.weight": (1536, 2560)},
    "Stable Diffusion 2.x": {TO_TEXT: (320, 1024)},
    "Stable Diffusion 1.x": {TO_TEXT: (320, 768), "input_blocks.0.0.weight": (320, 4, 3, 3)},
    "Stable Diffusion 1.x inpainting": {
        TO_TEXT: (320, 768),
        "input_blocks.0.0.weight": (320, 9, 3, 3),
    },
    "Stable Diffusion 3": {"joint_blocks.0.context_block.attn.qkv.weight": (4608, 1536)},
    "FLUX.1 dev": {
        KEY_NORM: (128,),
        "img_in.weight": (3072, 64),
        "guidance_in.in_layer.weight": (3072, 256),
    },
    "FLUX.1 schnell": {KEY_NORM: (128,), "img_in.weight": (3072, 64)},
    "FLUX.1 Fill": {
        KEY_NORM: (128,),
        "img_in.weight": (3072, 384),
        "guidance_in.in_layer.weight": (3072, 256),
    },
    "FLUX.2 dev": {
        KEY_NORM: (128,),
        "double_stream_modulation_img.lin.weight": (1,),
        "guidance_in.in_layer.weight": (1,),
    },
    "FLUX.2 klein": {KEY_NORM: (128,), "double_stream_modulation_img.lin.weight": (1,)},
    "Z-Image": {
        "cap_embedder.1.weight": (3840, 2560),
        "noise_refiner.0.attention.k_norm.weight": (128,),
    },
    "Lumina 2": {"cap_embedder.1.weight": (2304, 2304)},
    "Qwen-Image": {"txt_norm.weight": (3584,), "img_in.weight": (3072, 64)},
    "AuraFlow": {"double_layers.0.attn.w1q.weight": (3072, 3072)},
    "Chroma": {
        KEY_NORM: (128,),
        "img_in.weight": (3072, 64),
        "distilled_guidance_layer.in_proj.bias": (5120,),
    },
    "Wan": {"head.modulation": (1, 2, 1536), "head.head.weight": (64, 1536)},
    "Wan 2.1 image to video": {"head.modulation": (1,), "img_emb.proj.0.bias": (1280,)},
    "Wan 2.2 image to video": {
        "head.modulation": (1,),
        "patch_embedding.weight": (5120, 36, 1, 2, 2),
    },
    "Wan 2.2 5B": {"head.modulation": (1, 2, 3072), "head.head.weight": (192, 3072)},
    "HunyuanVideo": {HUNYUAN: (3072,), "vector_in.in_layer.weight": (3072, 768)},
    "HunyuanImage 2.1": {HUNYUAN: (3072,), KEY_NORM: (128,)},
    "HunyuanVideo 1.5": {HUNYUAN: (2048,), "vision_in.proj.0.weight": (1152,)},
    "LTX-Video": {"adaln_single.emb.timestep_embedder.linear_1.bias": (2048,)},
    "Stable Audio": {"transformer.rotary_pos_emb.inv_freq": (16,)},
    "ACE-Step": {"genre_embedder.weight": (2560, 512)},
}


@pytest.mark.parametrize("family", FILES)
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model."])
def test_each_family_is_told_by_names_and_shapes(family: str, prefix: str):
    shapes = {prefix + name: shape for name, shape in FILES[family].items()}
    assert denoiser_family(shapes) == family
    assert family in looks(shapes)


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ({"text_model.encoder.layers.30.x": (1,)}, "CLIP-G"),
        ({"text_model.encoder.layers.22.x": (1,)}, "CLIP-H"),
        ({"text_model.embeddings.token_embedding.weight": (49408, 768)}, "CLIP-L"),
        ({"encoder.block.0.layer.1.DenseReluDense.wi_1.weight": (10240, 4096)}, "T5-XXL"),
        ({"model.layers.0.post_feedforward_layernorm.weight": (2304,)}, "Gemma 2"),
        ({"model.layers.0.self_attn.k_proj.bias": (512,)}, "Qwen2.5-VL 7B"),
        (
            {
                "model.layers.0.self_attn.q_norm.weight": (128,),
                "model.layers.0.input_layernorm.weight": (2560,),
            },
            "Qwen3 4B",
        ),
        ({"model.layers.0.input_layernorm.weight": (5120,)}, "Mistral 3 24B"),
        ({"x": (1,)}, None),
    ],
)
def test_text_encoders_are_told_apart(shapes: Shapes, family: str | None):
    assert encoder_family(shapes) == family


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ({"decoder.conv_in.weight": (512, 4, 3, 3)}, "Stable Diffusion"),
        ({"first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3)}, "Stable Diffusion"),
        ({"decoder.conv_in.weight": (512, 16, 3, 3)}, "Stable Diffusion 3 or FLUX.1"),
        ({"decoder.middle.0.residual.0.gamma": (384, 1, 1, 1)}, "Wan or Qwen-Image"),
        ({"x": (1,)}, None),
    ],
)
def test_autoencoders_are_told_apart(shapes: Shapes, family: str | None):
    assert vae_family(shapes) == family


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", "SDXL"),
        ("lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight", "FLUX"),
        ("transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight", "FLUX"),
        ("diffusion_model.blocks.0.cross_attn.q.lora_A.weight", "Wan"),
        ("transformer_blocks.0.img_mlp.net.2.lora_A.weight", "Qwen-Image"),
        ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight", None),
        ("unet.down_blocks.0.attentions.0.proj_in.lora_A.weight", None),
        ("down_blocks.0.attentions.0.proj_in.lora_A.weight", None),
    ],
)
def test_adapters_of_other_families_are_told(name: str, family: str | None):
    assert lora_family({name: (4, 4)}) == family


def test_every_sign_of_the_tables_can_be_read_and_every_row_can_be_the_answer():
    for rows, told in ((DENOISERS, denoiser_family), (ENCODERS, encoder_family),
                       (VAES, vae_family), (LORAS, lora_family)):  # fmt: skip
        for family, *signs in rows:
            shapes: Shapes = {}
            for sign in signs:
                read = SIGN.fullmatch(sign)
                assert read is not None, sign
                if not read["absent"]:
                    name = read["name"] + ("x" if read["more"] else "")
                    shapes[name] = (int(read["size"] or 7),) * 5
            assert told(shapes) is not None, family
    for family, *signs in OTHERS:
        assert family.split()[0] in looks({signs[0].replace("*", "x"): (1,)}), family


def header(path: Path, shapes: Shapes) -> Path:
    """A safetensors file that is complete but for its weights, which are all holes."""
    entries: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end := end + size]}
    raw = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(8 + len(raw) + end)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folders = Folders(tmp_path_factory.mktemp("home"))
    folders.create()
    models = folders.root("models")
    header(
        models / "checkpoints" / "flux.safetensors",
        {f"model.diffusion_model.{name}": shape for name, shape in FILES["FLUX.1 dev"].items()},
    )
    header(models / "checkpoints" / "half.safetensors", FILES["SDXL"])
    header(models / "diffusion_models" / "wan.safetensors", FILES["Wan"])
    header(models / "vae" / "ltx.safetensors", {"decoder.last_scale_shift_table": (2, 128)})
    header(models / "text_encoders" / "t5.safetensors", {"encoder.block.0.x": (1,)})
    hidream = {"diffusion_model.double_stream_blocks.0.block.x.lora_A.weight": (4, 2560)}
    header(models / "loras" / "hidream.safetensors", hidream)
    (models / "checkpoints" / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    folder = models / "checkpoints" / "folder"
    folder.mkdir()
    index = {"_class_name": "FluxPipeline", "transformer": ["diffusers", "x"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folders


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = Registry()
    made.add_pack(nodes)
    return made


LOADERS: list[tuple[str, dict[str, str], str]] = [
    ("CheckpointLoaderSimple", {"ckpt_name": "flux.safetensors"}, "a FLUX.1 dev model"),
    ("CheckpointLoaderSimple", {"ckpt_name": "half.safetensors"}, "its denoiser is not complete"),
    ("CheckpointLoaderSimple", {"ckpt_name": "cut.safetensors"}, "only the beginning"),
    ("CheckpointLoaderSimple", {"ckpt_name": "folder"}, "FluxPipeline"),
    ("UNETLoader", {"unet_name": "wan.safetensors", "weight_dtype": "default"}, "a Wan model"),
    ("VAELoader", {"vae_name": "ltx.safetensors"}, "the autoencoder of LTX-Video"),
    ("CLIPLoader", {"clip_name": "t5.safetensors", "type": "stable_diffusion"}, "T5"),
    ("CLIPLoader", {"clip_name": "t5.safetensors", "type": "mage"}, "mage are not supported"),
]


@pytest.mark.parametrize(("loader", "inputs", "words"), LOADERS)
def test_a_family_that_is_not_supported_is_named_before_the_prompt_waits(
    home: Folders, registry: Registry, loader: str, inputs: dict[str, str], words: str
):
    prompt = {
        "1": {"class_type": loader, "inputs": inputs},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    with pytest.raises(PromptError) as caught:
        asyncio.run(validate(prompt, registry, home, plain_config))
    errors = caught.value.node_errors["1"].errors
    assert any(words in error.details for error in errors), errors
    assert {error.type for error in errors} == {"custom_validation_failed"}
    assert errors[0].extra_info["input_name"] in inputs


def test_a_lora_of_another_family_is_refused_and_a_file_that_changes_is_looked_at_again(
    home: Folders,
):
    path = home.model_path("loras", "hidream.safetensors")
    assert "a LoRA for HiDream" in str(unfit_lora(path))
    path = home.root("models") / "checkpoints" / "changes.safetensors"
    assert "a Wan model" in str(unfit_checkpoint(header(path, FILES["Wan"])))
    assert "an AuraFlow model" in str(unfit_checkpoint(header(path, FILES["AuraFlow"])))


def test_the_server_judges_files_without_torch(home: Folders):
    path = home.model_path("checkpoints", "flux.safetensors")
    code = (
        "import sys; from pathlib import Path; import nodes.loaders as l;"
        f"assert 'FLUX.1' in l.unfit_checkpoint(Path({str(path)!r}));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
