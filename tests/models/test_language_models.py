"""Text encoders other than CLIP give the numbers of transformers' models of the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from nodes.models.files.tensor_files import ModelFileError
from nodes.models.text.encoder_files import read_language_model
from nodes.models.text.language_model import LanguageModel
from tests.models.conftest import write_tensors

LLM: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 256,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
ROPE = {"rope_type": "default", "rope_theta": 1e6}
T5: dict[str, Any] = {
    "vocab_size": 2100,
    "d_model": 64,
    "d_kv": 16,
    "d_ff": 96,
    "num_layers": 3,
    "num_heads": 4,
    "feed_forward_proj": "gated-gelu",
}
TOKENS = [[5, 9, 260, 31, 7, 1], [8, 2, 1, 0, 0, 0]]
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])


def kinds(*names: str) -> list[Any]:
    """Classes of transformers."""
    return [getattr(transformers, name) for name in names]


def t5(**changed: Any) -> Any:
    config, model = kinds("T5Config", "T5EncoderModel")

    return model(config(**{**T5, **changed}))


def umt5(**changed: Any) -> Any:
    config, model = kinds("UMT5Config", "UMT5EncoderModel")

    return model(config(**{**T5, **changed}))


def qwen3() -> Any:
    config, model = kinds("Qwen3Config", "Qwen3Model")

    return model(config(**LLM, head_dim=128, rope_parameters=ROPE))


def gemma2() -> Any:
    config, model = kinds("Gemma2Config", "Gemma2Model")

    positions = {**ROPE, "rope_theta": 1e4}
    return model(config(**LLM, head_dim=256, rope_parameters=positions))


def gemma3() -> Any:
    config, model = kinds("Gemma3TextConfig", "Gemma3TextModel")

    positions = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {**ROPE, "rope_theta": 1e4},
    }
    wide = {**LLM, "hidden_size": 1280, "num_hidden_layers": 6}
    return model(config(**wide, head_dim=128, rope_parameters=positions, sliding_window=1024))


def llama3() -> Any:
    config, model = kinds("LlamaConfig", "LlamaModel")

    positions = {**ROPE, "rope_theta": 5e5}
    return model(config(**LLM, rope_parameters=positions, rms_norm_eps=1e-5))


def mistral3() -> Any:
    config, model = kinds("MistralConfig", "MistralModel")

    positions = {**ROPE, "rope_theta": 1e9}
    more: dict[str, Any] = {"rms_norm_eps": 1e-5, "sliding_window": None}
    words = {**LLM, "vocab_size": 131072, "hidden_size": 128, "num_attention_heads": 1}
    return model(config(**words, head_dim=128, rope_parameters=positions, **more))


KINDS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "t5": (t5, "", "T5-64"),
    "t5 in a checkpoint": (t5, "text_encoders.t5xxl.transformer.", "T5-64"),
    "t5 without a gate": (lambda: t5(feed_forward_proj="relu"), "", "T5-64"),
    "byt5": (lambda: t5(vocab_size=384), "", "ByT5-64"),
    "umt5": (umt5, "", "UMT5-64"),
    "qwen3": (qwen3, "model.", "Qwen3 of width 256"),
    "gemma2": (gemma2, "model.", "Gemma 2 of width 256"),
    "gemma3": (gemma3, "language_model.model.", "Gemma 3 of width 1280"),
    "llama3": (llama3, "model.", "Llama 3 of width 256"),
    "mistral3": (mistral3, "model.", "Mistral 3 of width 128"),
}


def randomised(model: Any) -> Any:
    """The model with weights that all count, its norms too."""
    dice = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        parameter.data += torch.randn(parameter.shape, generator=dice) * 0.05
    return model.eval()


def written(model: Any, prefix: str, path: Path) -> Path:
    tensors: dict[str, Tensor] = {
        prefix + name: weight.contiguous().clone()
        for name, weight in model.state_dict().items()
        if not name.endswith("encoder.embed_tokens.weight")
    }
    return write_tensors(path, tensors)


def loaded(path: Path) -> LanguageModel:
    return read_language_model(path).ready()


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_encoder_gives_the_numbers_of_transformers(kind: str, tmp_path: Path) -> None:
    make, prefix, title = KINDS[kind]
    reference = randomised(make())
    ours = loaded(written(reference, prefix, tmp_path / "encoder.safetensors"))
    with torch.no_grad():
        wanted = reference(
            input_ids=torch.tensor(TOKENS), attention_mask=MASK, output_hidden_states=True
        )
    middle = -2 if "t5" not in kind else 2
    last, hidden = ours.states(TOKENS, (-1, middle), MASK)
    torch.testing.assert_close(last[MASK > 0], wanted.last_hidden_state[MASK > 0])
    torch.testing.assert_close(hidden[MASK > 0], wanted.hidden_states[middle][MASK > 0])
    assert ours.layout.title == title
    assert not any(weight.is_meta for weight in ours.network.module.state_dict().values())


def test_a_model_that_was_cut_behind_a_layer_answers_without_a_norm(tmp_path: Path) -> None:
    reference = randomised(llama3())
    tensors: dict[str, Tensor] = {
        f"model.{name}": weight.clone()
        for name, weight in reference.state_dict().items()
        if name != "norm.weight"
    }
    ours = loaded(write_tensors(tmp_path / "cut.safetensors", tensors))
    reference.norm = torch.nn.Identity()
    with torch.no_grad():
        wanted = reference(input_ids=torch.tensor(TOKENS)).last_hidden_state
    last, whole = ours.states(TOKENS, (-1, 3))
    torch.testing.assert_close(last, wanted)
    torch.testing.assert_close(whole, wanted)


def test_a_layer_that_is_not_there_is_refused(tmp_path: Path) -> None:
    ours = loaded(written(randomised(llama3()), "model.", tmp_path / "short.safetensors"))
    with pytest.raises(ModelFileError, match=r"has 3 layers, and layer 9"):
        ours.states(TOKENS, (9,))


def test_pictures_for_a_text_encoder_that_sees_none_are_refused(tmp_path: Path) -> None:
    ours = loaded(written(randomised(qwen3()), "model.", tmp_path / "blind.safetensors"))
    with pytest.raises(ModelFileError, match=r"no vision tower"):
        ours.states([[1, 2]], pictures=[torch.zeros(1, 3, 56, 56)])
