"""What is in a file: kinds told apart by their headers, broken ones refused in plain words."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from nodes.models.families.vae_layout import diffusers_vae, original_vae
from nodes.models.files.checkpoints import (
    read_checkpoint,
    read_denoiser,
    read_vae,
)
from nodes.models.files.clip_files import read_text_encoders
from nodes.models.files.tensor_files import ModelFileError, TensorCodec, TensorFile, read_header
from tests.models.conftest import Loaded, handles, read_tensors, ready, write_tensors

LDM_UNET = "model.diffusion_model."


def write(path: Path, *names: str, shape: tuple[int, ...] = (2, 2)) -> Path:
    """A file with tensors of these names."""
    return write_tensors(path, {name: torch.zeros(shape) for name in names})


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["conditioner.embedders.1.model.x", LDM_UNET + "x"], "an SDXL model"),
        (["cond_stage_model.model.x", LDM_UNET + "x"], "a Stable Diffusion 2.x model"),
        ([LDM_UNET + "double_blocks.0.x"], "a FLUX model"),
        (["lora_unet_down_blocks_0.lora_up.weight"], r"a LoRA \(use LoraLoader\)"),
        (["decoder.conv_in.weight"], r"an autoencoder \(VAE\) alone"),
        (["a", "b", "c", "d"], r"something unknown \(4 tensors: a, b, c, ...\)"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path: Path, names: list[str], kind: str):
    path = write(tmp_path / "model.safetensors", *names)
    with pytest.raises(ModelFileError, match=f"model.safetensors: .*looks like {kind}"):
        read_checkpoint(path)


def test_a_truncated_file_is_refused_before_it_is_used(tmp_path: Path, tiny_folder: Path):
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "model"))
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    for kept in (0, 4, 200, len(whole) // 2, len(whole) - 1):
        weights.write_bytes(whole[:kept])
        with pytest.raises(ModelFileError, match=f"{weights}: .*get it again"):
            read_checkpoint(folder)


def test_what_is_no_model_is_refused(tmp_path: Path):
    (tmp_path / "page.safetensors").write_text("<html>Not found</html>" * 100)
    with pytest.raises(ModelFileError, match=r"page.safetensors: not a safetensors file"):
        read_checkpoint(tmp_path / "page.safetensors")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelFileError, match=r"notes.txt: unknown kind of file"):
        read_checkpoint(tmp_path / "notes.txt")
    with pytest.raises(ModelFileError, match=r"gone.safetensors: cannot be opened"):
        read_checkpoint(tmp_path / "gone.safetensors")
    with pytest.raises(ModelFileError, match=r"a folder without model_index.json"):
        read_checkpoint(tmp_path)


class Trap:
    """Pickles to something that would write a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "trapped")


def test_program_code_in_a_ckpt_is_never_run(tmp_path: Path):
    proof = tmp_path / "proof"
    torch.save({"state_dict": {"x": torch.zeros(1)}, "trap": Trap(proof)}, tmp_path / "a.ckpt")
    (tmp_path / "b.ckpt").write_bytes(pickle.dumps(Trap(proof), protocol=2))
    for name in ("a.ckpt", "b.ckpt"):
        with pytest.raises(ModelFileError, match=f"{name}: holds more than plain tensors"):
            read_checkpoint(tmp_path / name)
    assert not proof.exists()


def test_tensors_of_a_ckpt_are_read_as_data(tmp_path: Path):
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {"x": torch.arange(3.0)}, "epoch": 5}, path)
    header = read_header(path)
    assert header.shapes == {"x": (3,)}
    assert torch.equal(TensorFile(header)["x"], torch.arange(3.0))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelFileError, match=r"a.ckpt: .*"):
        read_header(path)


def test_folders_of_other_networks_are_refused(tmp_path: Path, tiny_folder: Path):
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "model"))
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps({"_class_name": "FluxTransformer2DModel"}))
    with pytest.raises(ModelFileError, match="the UNet is FluxTransformer2DModel"):
        read_checkpoint(folder)
    config.write_text("{")
    with pytest.raises(ModelFileError, match=r"config\.json: not JSON"):
        read_checkpoint(folder)
    shutil.rmtree(folder / "unet")
    with pytest.raises(ModelFileError, match=r"config\.json: missing"):
        read_checkpoint(folder)


def test_missing_weights_are_counted(tmp_path: Path, tiny_folder: Path):
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "model"))
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = read_tensors(path)
    del tensors["quant_conv.bias"]
    write_tensors(path, tensors)
    with pytest.raises(ModelFileError, match=r"the VAE lacks 1 weights \(quant_conv.bias"):
        handles(folder).vae.load("cpu")
    tensors["quant_conv.bias"] = torch.zeros(3)
    write_tensors(path, tensors)
    with pytest.raises(ModelFileError, match=r"quant_conv.bias has shape \(3,\)"):
        handles(folder).vae.load("cpu")


def test_a_file_that_changed_since_it_was_chosen_is_not_mixed_up(tmp_path: Path, tiny_folder: Path):
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "model"))
    before = handles(folder)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    write_tensors(path, {name: tensor + 1 for name, tensor in read_tensors(path).items()})
    assert handles(folder).model.key != before.model.key
    with pytest.raises(ModelFileError, match="has changed since"):
        before.model.load("cpu")


def test_a_handle_costs_no_weights(tiny_folder: Path):
    made = handles(tiny_folder)
    assert {made.model.base, made.clip.base, made.vae.base} == {
        handles(tiny_folder).model.key,
        made.clip.base,
        made.vae.key,
    }
    assert len({made.model.base, made.clip.base, made.vae.base}) == 3
    assert made.model.nbytes("cpu") == 4 * made.model.source.parameters
    with pytest.raises(RuntimeError, match=r"UNet of .* is not loaded"):
        _ = made.model.network


def test_a_handle_does_not_keep_dropped_weights(tiny_folder: Path):
    made = handles(tiny_folder).vae
    loaded = made.load("cpu")
    made.bind(loaded)
    assert made.network is loaded
    del loaded
    with pytest.raises(RuntimeError, match="is not loaded"):
        _ = made.network


def test_pictures_survive_the_way_through_latents(tiny: Loaded):
    pictures = torch.rand(2, 70, 64, 4)
    latents = tiny.vae.encode(pictures)
    assert latents.shape == (2, 4, 8, 8), "70 is cropped to 64"
    assert torch.equal(latents, tiny.vae.encode(pictures)), "no chance in it"
    decoded = tiny.vae.decode(latents)
    assert decoded.shape == (2, 64, 64, 3)
    assert 0 <= float(decoded.min()) <= float(decoded.max()) <= 1
    with pytest.raises(ValueError, match="4 x 70 pixels is too small"):
        tiny.vae.encode(torch.rand(1, 70, 4, 3))


def test_clip_skip_takes_an_earlier_layer(tiny: Loaded, tiny_folder: Path):
    last, before = ready(tiny_folder).clip, tiny.clip.at_layer(-2)
    before.bind(tiny.clip.network)
    assert before.base == tiny.clip.base
    assert before.key != tiny.clip.key
    found = [clip.encode("cat")[0] for clip in (last, before)]
    assert not torch.allclose(found[0][0], found[1][0])
    assert torch.equal(found[0][1]["pooled_output"], found[1][1]["pooled_output"])
    for beyond in (-4, -24):
        far = tiny.clip.at_layer(beyond)
        far.bind(tiny.clip.network)
        assert torch.equal(far.encode("cat")[0][0], found[0][0]), "beyond the first is the last"
    tiny.clip.bind(tiny.clip.network)


def test_weights_in_a_prompt_move_its_tokens(tiny: Loaded):
    plain, strong = (tiny.clip.encode(text)[0][0] for text in ("a cat", "a (cat:1.5)"))
    empty = tiny.clip.encode("")[0][0]
    place = 2  # start, a, cat
    expected = empty[0, place] + 1.5 * (plain[0, place] - empty[0, place])
    assert torch.allclose(strong[0, place], expected, atol=1e-5)
    assert torch.allclose(strong[0, 1], plain[0, 1], atol=1e-5)
    assert tiny.clip.encode("long " * 30)[0][0].shape[1] == 24 * len(
        tiny.clip.tokenize("long " * 30)
    )


def test_original_names_become_those_of_diffusers():
    assert original_vae("decoder.up.3.upsample.conv.weight", 4) == (
        "decoder.up_blocks.0.upsamplers.0.conv.weight"
    )
    assert original_vae("encoder.mid.attn_1.proj_out.bias", 4) == (
        "encoder.mid_block.attentions.0.to_out.0.bias"
    )
    assert original_vae("loss.discriminator.x", 4) is None
    assert diffusers_vae("encoder.mid_block.attentions.0.query.weight") == (
        "encoder.mid_block.attentions.0.to_q.weight"
    )


def test_tensors_go_through_bytes_unchanged():
    codec = TensorCodec()
    for tensor in (torch.randn(2, 3)[:, 1:], torch.tensor(5), torch.zeros(0), torch.ones(2).half()):
        back = codec.load(codec.dump(tensor))
        assert back.dtype == tensor.dtype
        assert torch.equal(back, tensor)


def test_parts_of_other_models_are_refused(tmp_path: Path):
    flux = write(tmp_path / "flux.safetensors", "double_blocks.0.x")
    with pytest.raises(ModelFileError, match="looks like a FLUX model"):
        read_denoiser(flux)
    with pytest.raises(ModelFileError, match="Supported are CLIP-L, CLIP-G, CLIP-H, T5"):
        read_text_encoders([flux])
    with pytest.raises(ModelFileError, match="Supported are those of Stable Diffusion"):
        read_vae(flux)
