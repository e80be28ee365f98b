"""PhotoMaker, against the published formulas written down step by step, on tiny random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear
from transformers.models.clip import CLIPVisionConfig

from nodes.models.conditioning.photomaker import PhotoMaker, read_photomaker, with_person
from nodes.models.conditioning.vision import read_vision_encoder
from nodes.models.files.checkpoints import read_checkpoint
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.text.text_encoder import TextEncoder
from tests.models.bench import Prompt, n, opened
from tests.models.conftest import write_tensors
from tests.models.test_unet_families import KINDS, denoiser_tensors, made, text_tensors
from tests.models.test_vision import CLIP, TINY, picture, random

HALF = 32  # width of each text encoder, and of each projection
WIDTH = 2 * HALF


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a tiny SDXL checkpoint and a PhotoMaker file, as torch writes it."""
    folder = tmp_path_factory.mktemp("photomaker")
    (folder / "checkpoints").mkdir()
    (folder / "photomaker").mkdir()
    tensors = denoiser_tensors(made(KINDS["SDXL"]))
    for number, (name, kind) in enumerate((("clip_l", "transformer"), ("clip_g", "model"))):
        tensors |= text_tensors(name, f"conditioner.embedders.{number}.{kind}.", HALF)[1]
    write_tensors(folder / "checkpoints" / "xl.safetensors", tensors)
    content = {"id_encoder": encoder_tensors(), "lora_weights": {"a": torch.zeros(2)}}
    torch.save(content, folder / "photomaker" / "any.bin")
    return folder


def encoder_tensors() -> dict[str, Tensor]:
    seeing = random(CLIP(CLIPVisionConfig(projection_dim=HALF, **TINY)))
    dice = torch.Generator().manual_seed(8)
    shapes: dict[str, tuple[int, ...]] = {"visual_projection_2.weight": (HALF, TINY["hidden_size"])}
    for mlp, given in (("mlp1", 2 * WIDTH), ("mlp2", WIDTH)):
        at = f"fuse_module.{mlp}"
        shapes |= {f"{at}.layernorm.{kind}": (given,) for kind in ("weight", "bias")}
        shapes |= {f"{at}.fc1.weight": (WIDTH, given), f"{at}.fc1.bias": (WIDTH,)}
        shapes |= {f"{at}.fc2.weight": (WIDTH, WIDTH), f"{at}.fc2.bias": (WIDTH,)}
    shapes |= {f"fuse_module.layer_norm.{kind}": (WIDTH,) for kind in ("weight", "bias")}
    own = {name: torch.randn(shape, generator=dice) * 0.3 for name, shape in shapes.items()}
    return seeing.state_dict() | own


def mlp(w: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    def part(inner: str) -> list[Tensor]:
        return [w[f"fuse_module.{name}.{inner}.{kind}"] for kind in ("weight", "bias")]

    scale, shift = part("layernorm")
    x = layer_norm(x, x.shape[-1:], scale, shift)
    return linear(gelu(linear(x, *part("fc1"))), *part("fc2"))


def by_the_paper(word: Tensor, pictures: Tensor, folder: Path) -> Tensor:
    """Vectors [n, WIDTH] of a word fused with what is in each picture."""
    w = encoder_tensors()
    plain = {name: t for name, t in w.items() if name.startswith(("vision", "visual_projection."))}
    encoder = read_vision_encoder(write_tensors(folder / "v.safetensors", plain)).ready()
    module: Any = encoder.network.module
    pooled = module.vision_model(encoder.prepared(pictures, crop=True)).pooler_output
    seen = [linear(pooled, w[f"visual_projection{end}.weight"]) for end in ("", "_2")]
    words = word.expand(len(pictures), -1)
    x = mlp(w, "mlp1", torch.cat([words, *seen], dim=-1)) + words
    x = mlp(w, "mlp2", x) + x
    scale, shift = (w[f"fuse_module.layer_norm.{kind}"] for kind in ("weight", "bias"))
    return layer_norm(x, (WIDTH,), scale, shift)


@pytest.fixture(scope="module")
def clip(models: Path) -> TextEncoder:
    return TextEncoder.of(
        read_checkpoint(models / "checkpoints" / "xl.safetensors").text_encoder
    ).ready()


@pytest.fixture(scope="module")
def photomaker(models: Path) -> PhotoMaker:
    return read_photomaker(models / "photomaker" / "any.bin").ready()


def test_a_person_takes_the_place_of_a_word(
    photomaker: PhotoMaker, clip: TextEncoder, tmp_path: Path
):
    told: list[str] = []
    person = picture()[:1]
    ((states, options),) = with_person(
        photomaker, clip, "photo of a man photomaker, (red:1.3) hat", person, told.append
    )
    ((plain, plain_options),) = clip.encode("photo of a man, (red:1.3) hat")
    expected = by_the_paper(plain[0, 4:5], person, tmp_path)
    assert torch.allclose(states[0, 4:5], expected, atol=1e-3)
    others = [place for place in range(77) if place != 4]
    assert torch.allclose(states[0, others], plain[0, others], atol=1e-5)
    assert torch.equal(options["pooled_output"], plain_options["pooled_output"])
    assert told == []


def test_several_pictures_are_as_many_words(
    photomaker: PhotoMaker, clip: TextEncoder, tmp_path: Path
):
    people = picture()
    ((states, _),) = with_person(photomaker, clip, "a man photomaker hat", people, print)
    ((plain, _),) = clip.encode("a man man hat")
    for place, person in ((2, people[:1]), (3, people[1:])):
        expected = by_the_paper(plain[0, place : place + 1], person, tmp_path)
        assert torch.allclose(states[0, place : place + 1], expected, atol=1e-3)
    assert torch.allclose(states[0, 4:], plain[0, 4:], atol=1e-5)


def test_a_text_without_a_place_for_the_person_is_told(photomaker: PhotoMaker, clip: TextEncoder):
    told: list[str] = []
    ((states, _),) = with_person(photomaker, clip, "a man", picture(), told.append)
    assert torch.equal(states, clip.encode("a man")[0][0])
    assert told == ["text: holds no word 'photomaker', so nobody is put into it"]
    with pytest.raises(ValueError, match="say who is meant before photomaker"):
        with_person(photomaker, clip, "photomaker man", picture(), told.append)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"id_encoder.qformer_perceiver.token_proj.0.weight": (2, 2)}, "V2, which needs a recogn"),
        ({"id_encoder.visual_projection_2.weight": None}, "not a PhotoMaker model; it looks like"),
    ],
)
def test_other_files_are_refused_by_name(
    tmp_path: Path, more: dict[str, tuple[int, ...] | None], words: str
):
    tensors = {f"id_encoder.{name}": tensor for name, tensor in encoder_tensors().items()}
    for name, shape in more.items():
        tensors.pop(name, None)
        if shape is not None:
            tensors[name] = torch.zeros(shape)
    with pytest.raises(ModelFileError, match=words):
        read_photomaker(write_tensors(tmp_path / "x.safetensors", tensors))


async def test_a_prompt_puts_a_person_into_its_text(models: Path, tmp_path: Path):
    def prompt(text: str) -> Prompt:
        return {
            "1": n("CheckpointLoaderSimple", ckpt_name="xl.safetensors"),
            "2": n("PhotoMakerLoader", photomaker_model_name="any.bin"),
            "3": n("EmptyImage", width=40, height=32, batch_size=1, color=0x336699),
            "4": n("PhotoMakerEncode", photomaker=["2", 0], image=["3", 0], clip=["1", 1],
                   text=text),
            "5": n("PreviewAny", source=["4", 0]),
        }  # fmt: skip

    async with opened(tmp_path / "home", models) as bench:
        entries = await bench.run(prompt("photograph of photomaker"), prompt("a man"))
    assert [entry.outcome.status for entry in entries] == ["success"] * 2, entries
    assert ["warnings" in entry.outcome.shown.get("4", {}) for entry in entries] == [False, True]
