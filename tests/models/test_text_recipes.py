"""What reaches the denoiser: each text recipe on tiny text encoders with random weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.models.files.tensor_files import ModelFileError
from nodes.models.text.asking import Asking, Padding, ask
from nodes.models.text.encoder_files import read_prompt_encoder
from nodes.models.text.recipe_encoder import RecipeEncoder
from nodes.models.text.recipes.hunyuan import LLAMA_TEMPLATE, VIDEO_15
from nodes.models.text.recipes.qwen_image import DRAWING, EDITING, SEEN, chat
from nodes.models.text.vocabularies import vocabulary_of
from tests.models.conftest import write_tensors
from tests.models.test_language_models import LLM, T5, kinds, randomised, written
from tests.models.test_seeing_language_models import NAMES, file_of, qwen2_5
from tests.models.test_unet_families import text_tensors

WORDS = 152000
"""Room for Qwen's vocabulary."""


def small_llm(kind: str, **changed: Any) -> Any:
    config, model = kinds(f"{kind}Config", f"{kind}Model")
    size = {**LLM, "hidden_size": 128, "num_attention_heads": 1, "head_dim": 128, **changed}
    rope = {"rope_type": "default", "rope_theta": 1e6}
    return randomised(model(config(**size, rope_parameters=rope)))


def tokenizer_beside(path: Path, marks: Mapping[str, int]) -> None:
    """A tokenizer of single bytes and some marks, in the folder of a file's name."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    from nodes.models.text.tokenizers import byte_symbols

    words = {symbol: id for id, symbol in enumerate(byte_symbols())}
    made = Tokenizer(models.BPE(vocab={**words, **marks}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    added: Any = made
    added.add_special_tokens([AddedToken(mark, normalized=False) for mark in marks])
    folder = path.parent / path.stem
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A file of each kind of text encoder, tiny."""
    folder = tmp_path_factory.mktemp("text_encoders")
    t5, umt5 = kinds("T5EncoderModel", "UMT5EncoderModel")
    t5_config, umt5_config = kinds("T5Config", "UMT5Config")
    found = {
        name: written(
            randomised(model(config(**{**T5, **size}))), "", folder / f"{name}.safetensors"
        )
        for name, model, config, size in (
            ("t5", t5, t5_config, {"vocab_size": 32128}),
            ("umt5", umt5, umt5_config, {}),
            ("pile", umt5, umt5_config, {"vocab_size": 32128}),
            ("byt5", t5, t5_config, {"vocab_size": 384}),
        )
    }
    tokenizer_beside(found["umt5"], {"</s>": 300})
    tokenizer_beside(found["pile"], {"</s>": 300})
    qwen3 = small_llm("Qwen3", vocab_size=WORDS, num_hidden_layers=28)
    found["qwen3"] = written(qwen3, "model.", folder / "qwen3.safetensors")
    llama = small_llm("Llama", vocab_size=128300, num_hidden_layers=4)
    found["llama"] = written(llama, "model.", folder / "llama.safetensors")
    marks = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    tokenizer_beside(found["llama"], {mark: 128006 + place for place, mark in enumerate(marks)})
    found["qwen-vl"] = file_of(qwen2_5(), NAMES["qwen2.5"][1], folder / "qwen25.safetensors")
    for name, width in (("clip_l", 768), ("clip_g", 1280)):
        _, tensors = text_tensors(name, "", width)
        found[name] = write_tensors(folder / f"{name}.safetensors", tensors)
    return found


def encoder(files: Mapping[str, Path], type: str, *names: str) -> RecipeEncoder:
    found = read_prompt_encoder([files[name] for name in names], type)
    assert isinstance(found, RecipeEncoder)
    for handle in found.handles:
        handle.ready()
    return found


def encoded(found: RecipeEncoder, text: str | Mapping[str, str], **more: Any) -> Any:
    ((states, options),) = found.encode(text, **more)
    return states, options


PROMPT = "a photo of a cat"
T5_IDS = [3, 9, 1202, 13, 3, 9, 1712, 1]
"""The prompt, as T5 reads it."""


def t5_states(found: RecipeEncoder, tokens: list[int], mask: Tensor | None = None) -> Tensor:
    return found.models["t5xxl"].states([tokens], mask=mask)[0]


def test_flux_has_the_pooled_clip_and_256_tokens_of_t5(files: Mapping[str, Path]) -> None:
    found = encoder(files, "flux", "t5", "clip_l")
    states, options = encoded(found, PROMPT)
    torch.testing.assert_close(states, t5_states(found, T5_IDS + [0] * 248))
    assert found.clip is not None
    wanted = found.clip.each(PROMPT, projected=False)["clip_l"].pooled
    torch.testing.assert_close(options["pooled_output"], wanted)
    assert options["encoded_for"] == "FLUX.1"
    apart, _ = encoded(found, {"clip_l": "x", "t5xxl": PROMPT})
    torch.testing.assert_close(apart, states)


def test_chroma_and_ltx_fill_up_less_and_ltx_hides_the_padding(files: Mapping[str, Path]) -> None:
    states, options = encoded(chroma := encoder(files, "chroma", "t5"), PROMPT)
    torch.testing.assert_close(states, t5_states(chroma, T5_IDS))
    assert options["pooled_output"] is None
    states, options = encoded(ltx := encoder(files, "ltxv", "t5"), PROMPT)
    mask = torch.tensor([[1] * 8 + [0] * 120])
    assert torch.equal(options["attention_mask"], mask)
    torch.testing.assert_close(states, t5_states(ltx, T5_IDS + [0] * 120, mask))


def test_a_user_may_fill_t5_up_more(files: Mapping[str, Path]) -> None:
    found = encoder(files, "chroma", "t5")
    model = found.models["t5xxl"]
    assert ask(model, PROMPT, Asking(), Padding(3, 0)).states.shape[1] == 11
    assert ask(model, PROMPT, Asking(shortest=77), Padding(0, 20)).states.shape[1] == 20


def test_a_weight_moves_words_away_from_the_empty_prompt(files: Mapping[str, Path]) -> None:
    found = encoder(files, "chroma", "t5")
    plain = t5_states(found, [3, 9, 1712, 1])
    empty = t5_states(found, [1, 0, 0, 0])
    wanted = plain.clone()
    wanted[:, :3] = (plain - empty)[:, :3] * 1.5 + empty[:, :3]
    states, _ = encoded(found, "(a cat:1.5)")
    torch.testing.assert_close(states, wanted)


def test_sd3_puts_clip_beside_clip_and_t5_behind(files: Mapping[str, Path]) -> None:
    found = encoder(files, "sd3", "t5", "clip_g", "clip_l")
    states, options = encoded(found, PROMPT)
    assert found.clip is not None
    each = found.clip.each(PROMPT)
    assert states.shape == (1, 77 + 77, 768 + 1280)
    torch.testing.assert_close(states[:, :77, :768], each["clip_l"].states)
    torch.testing.assert_close(states[:, :77, 768:], each["clip_g"].states)
    torch.testing.assert_close(options["pooled_output"][:, 768:], each["clip_g"].pooled)
    without, _ = encoded(
        found, {"clip_l": "", "clip_g": PROMPT, "t5xxl": PROMPT}, leaves_empty_out=True
    )
    assert not without[:, :77, :768].any()
    alone, options = encoded(encoder(files, "sd3", "clip_l", "clip_g"), PROMPT)
    assert alone.shape == (1, 154, 4096)
    assert not alone[:, 77:].any()
    torch.testing.assert_close(alone[:, :77, :2048], states[:, :77])


def test_wan_and_auraflow_zero_the_padding(files: Mapping[str, Path]) -> None:
    for type, name, part, length, end, pad in (
        ("wan", "umt5", "umt5xxl", 512, 1, 0),
        ("sd3", "pile", "pile_t5xl", 256, 2, 1),
    ):
        found = encoder(files, type, name)
        states, _ = encoded(found, "cat")
        ids = [66, 64, 83]  # the bytes, in the order of GPT-2
        tokens = [*ids, end, *[pad] * (length - 4)]
        mask = torch.tensor([[1] * 4 + [0] * (length - 4)])
        wanted = found.models[part].states([tokens], mask=mask)[0]
        torch.testing.assert_close(states, wanted * mask.unsqueeze(-1))


def qwen_ids(found: RecipeEncoder, text: str) -> list[int]:
    (model,) = found.models.values()
    return model.vocabulary.ids(text)


def test_z_image_takes_the_layer_before_the_last(files: Mapping[str, Path]) -> None:
    found = encoder(files, "lumina2", "qwen3")
    states, options = encoded(found, "")
    tokens = qwen_ids(found, "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n")
    assert len(tokens) == 8
    (model,) = found.models.values()
    torch.testing.assert_close(states, model.states([tokens], (-2,))[0])
    assert torch.equal(options["attention_mask"], torch.ones(1, 8, dtype=torch.long))
    weighted, _ = encoded(found, "(cat:1.5)")
    letters = qwen_ids(found, "<|im_start|>user\n(cat:1.5)<|im_end|>\n<|im_start|>assistant\n")
    torch.testing.assert_close(weighted, model.states([letters], (-2,))[0])


def test_klein_has_three_layers_side_by_side(files: Mapping[str, Path]) -> None:
    found = encoder(files, "flux2", "qwen3")
    states, options = encoded(found, PROMPT)
    text = f"<|im_start|>user\n{PROMPT}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    tokens = qwen_ids(found, text)
    filled = tokens + [151643] * (512 - len(tokens))
    mask = (torch.arange(512) < len(tokens)).long()[None]
    (model,) = found.models.values()
    layers = model.states([filled], (9, 18, 27), mask)
    torch.testing.assert_close(states, torch.cat(layers, dim=-1))
    assert torch.equal(options["attention_mask"], mask)


def test_one_text_encoder_serves_every_recipe(files: Mapping[str, Path]) -> None:
    (klein,) = encoder(files, "flux2", "qwen3").models.values()
    (z_image,) = encoder(files, "lumina2", "qwen3").models.values()
    flux = encoder(files, "flux", "t5", "clip_l").models["t5xxl"]
    assert (klein.base, klein.key) == (z_image.base, z_image.key)
    assert flux.base == encoder(files, "chroma", "t5").models["t5xxl"].base


def test_qwen_image_drops_the_template_before_the_prompt(files: Mapping[str, Path]) -> None:
    found = encoder(files, "qwen_image", "qwen-vl")
    (model,) = found.models.values()
    empty, options = encoded(found, "")
    assert empty.shape == (1, 5, 128)
    assert "attention_mask" not in options
    states, _ = encoded(found, PROMPT)
    tokens = qwen_ids(found, chat(DRAWING).format(PROMPT))
    torch.testing.assert_close(states, model.states([tokens])[0][:, 34:])


def test_qwen_image_edit_sees_its_pictures(files: Mapping[str, Path]) -> None:
    found = encoder(files, "qwen_image", "qwen-vl")
    (model,) = found.models.values()
    picture = torch.rand((1, 3, 56, 84), generator=torch.Generator().manual_seed(5))
    states, _ = encoded(found, "make it red", pictures=[picture])
    tokens = qwen_ids(found, chat(EDITING).format(f"{SEEN}make it red"))
    place = tokens.index(151655)
    long = [*tokens[:place], *[151655] * 6, *tokens[place + 1 :]]
    wanted = model.states([long], pictures=[picture])[0][:, 64:]
    torch.testing.assert_close(states, wanted)
    placed, _ = encoded(found, f"Picture 1: {SEEN}red", pictures=[picture], edits=True)
    assert placed.shape[1] == len(qwen_ids(found, f"Picture 1: {SEEN}red")) + 5 + 5


def test_hunyuan_reads_letters_in_quotes_with_byt5(files: Mapping[str, Path]) -> None:
    found = encoder(files, "hunyuan_image", "byt5", "qwen-vl")
    states, options = encoded(found, 'a sign "open"')
    vision = found.models["qwen25_7b"]
    tokens = vision.vocabulary.ids(chat(DRAWING, "<|im_end|>").format('a sign "open"'))
    torch.testing.assert_close(states, vision.states([tokens], (-3,))[0][:, 34:])
    letters = [byte + 3 for byte in b'Text "open". '] + [1]
    wanted = found.models["byt5"].states([letters])[0]
    torch.testing.assert_close(options["conditioning_byt5small"], wanted)
    _, plain = encoded(found, "a sign")
    assert "conditioning_byt5small" not in plain
    film = encoder(files, "hunyuan_video_15", "qwen-vl", "byt5")
    empty, _ = encoded(film, "")
    front = vision.vocabulary.ids(chat(VIDEO_15).partition("{}")[0])
    assert len(front) == 98
    assert empty.shape[1] == 2  # a blank and the end of the turn


def test_hunyuan_video_drops_llamas_template(files: Mapping[str, Path]) -> None:
    found = encoder(files, "hunyuan_video", "llama", "clip_l")
    states, options = encoded(found, "cat")
    model = found.models["llama"]
    tokens = [128000, *model.vocabulary.ids(LLAMA_TEMPLATE.format("cat"))]
    torch.testing.assert_close(states, model.states([tokens], (-3,))[0][:, -4:])
    assert options["pooled_output"].shape == (1, 768)


def test_hidream_has_every_layer_of_llama(files: Mapping[str, Path]) -> None:
    found = encoder(files, "hidream", "llama", "t5", "clip_l", "clip_g")
    states, options = encoded(found, "cat")
    assert states.shape == (1, 128, 64)
    assert options["conditioning_llama3"].shape == (1, 4, 128, 128)
    assert options["pooled_output"].shape == (1, 2048)


def test_a_type_that_does_not_fit_says_what_it_wants(files: Mapping[str, Path]) -> None:
    with pytest.raises(ModelFileError) as refused:
        read_prompt_encoder([files["t5"]], "lumina2")
    said = str(refused.value)
    for part in ("T5", "lumina2", "Gemma 2 2B (Lumina 2)", "Qwen3 4B (Z-Image)", "chroma"):
        assert part in said
    with pytest.raises(ModelFileError, match=r"Qwen3 of width 128.*stable_diffusion.*flux2"):
        read_prompt_encoder([files["qwen3"]], "stable_diffusion")
    with pytest.raises(ModelFileError, match=r"CLIP-L and T5-XXL \(FLUX\.1\)"):
        read_prompt_encoder([files["clip_l"], files["clip_g"]], "flux")


def test_a_tokenizer_that_is_nowhere_is_named_with_its_place(
    files: Mapping[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "text_encoders" / "umt5.safetensors"
    path.parent.mkdir()
    path.write_bytes(files["umt5"].read_bytes())
    found = encoder({"umt5": path}, "wan", "umt5")
    with pytest.raises(
        ModelFileError, match=r"tokenizer\.json.*text_encoders/umt5.*tokenizers/umt5"
    ):
        found.encode("cat")
    kind = tmp_path / "tokenizers" / "umt5"
    kind.mkdir(parents=True)
    beside = files["umt5"].parent / "umt5" / "tokenizer.json"
    (kind / "tokenizer.json").write_text(beside.read_text())
    assert json.loads((kind / "tokenizer.json").read_text())["model"]
    states, _ = encoded(found, "cat")
    assert states.shape == (1, 512, 64)
    assert vocabulary_of(found.models["umt5xxl"].source.header, "umt5").end == 1
