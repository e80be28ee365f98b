"""How a language model that encodes prompts is built, by the names and shapes of its weights.

Understood are the names of transformers' models, with their vision towers, and those of GGUF files.
Widths, layers and heads are counted; what no shape says (the base of the rotary positions, the
width of a head where no norm has it) is of the published models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nodes.models.families.language_layout import LanguageLayout, NamedWeights, Shapes
from nodes.models.files.pieces import Piece, Pieces

MODELS = "transformers.models"
TEXT_PREFIXES = (
    "model.language_model.",
    "language_model.model.",
    "model.",
    "language_model.",
    "",
)
SIGHT_PREFIXES = ("model.visual.", "visual.")
LAYER = "layers.0."
QUERY, KEY = f"{LAYER}self_attn.q_proj.weight", f"{LAYER}self_attn.k_proj.weight"
QUERY_NORM = f"{LAYER}self_attn.q_norm.weight"
KEY_BIAS = f"{LAYER}self_attn.k_proj.bias"
GATE = f"{LAYER}mlp.gate_proj.weight"
AFTER = f"{LAYER}post_feedforward_layernorm.weight"
WORDS = "embed_tokens.weight"
DEEP = "deepstack_merger_list."

GGUF_LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.(weight|bias)")
GGUF_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_norm": "post_attention_layernorm",
}
GGUF_GEMMA = {
    **GGUF_NAMES,
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
GGUF_WHOLE = {"token_embd.weight": WORDS, "output_norm.weight": "norm.weight"}
ROTATED = ("self_attn.q_proj", "self_attn.k_proj")
"""Of Llama and Mistral GGUF files have the rows of each head in another order."""


@dataclass(frozen=True)
class Kind:
    """A kind of language model.

    Attributes:
        network: its class in transformers; of a seeing one that of both parts together.
        vocabulary: see `LanguageLayout`.
        sizes: what the models of some widths are called.
        head: width of a head where no norm has it.
        config: what no shape says.
    """

    name: str
    network: str
    vocabulary: str
    sizes: Mapping[int, str]
    head: int = 128
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])


def _rope(theta: float, **more: Any) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": theta, **more}


KINDS = {
    "qwen3": Kind(
        "Qwen3",
        f"{MODELS}.qwen3.modeling_qwen3:Qwen3Model",
        "qwen",
        {1024: "0.6B", 2048: "1.7B", 2560: "4B", 4096: "8B", 5120: "14B"},
        config={"rope_parameters": _rope(1e6), "rms_norm_eps": 1e-6},
    ),
    "qwen3-vl": Kind(
        "Qwen3-VL",
        f"{MODELS}.qwen3_vl.modeling_qwen3_vl:Qwen3VLModel",
        "qwen",
        {2048: "2B", 2560: "4B", 4096: "8B", 5120: "32B"},
        config={
            "rope_parameters": _rope(5e6, mrope_section=[24, 20, 20], mrope_interleaved=True),
            "rms_norm_eps": 1e-6,
        },
    ),
    "qwen2.5-vl": Kind(
        "Qwen2.5-VL",
        f"{MODELS}.qwen2_5_vl.modeling_qwen2_5_vl:Qwen2_5_VLModel",
        "qwen",
        {2048: "3B", 3584: "7B", 5120: "32B", 8192: "72B"},
        config={"rope_parameters": _rope(1e6, mrope_section=[16, 24, 24]), "rms_norm_eps": 1e-6},
    ),
    "gemma2": Kind(
        "Gemma 2",
        f"{MODELS}.gemma2.modeling_gemma2:Gemma2Model",
        "gemma2",
        {2304: "2B", 3584: "9B"},
        head=256,
        config={"rope_parameters": _rope(1e4), "rms_norm_eps": 1e-6},
    ),
    "gemma3": Kind(
        "Gemma 3",
        f"{MODELS}.gemma3.modeling_gemma3:Gemma3TextModel",
        "gemma3",
        {640: "270M", 1152: "1B", 2560: "4B", 3840: "12B", 5376: "27B"},
        config={
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                "sliding_attention": _rope(1e4),
            },
            "sliding_window": 1024,
            "rms_norm_eps": 1e-6,
        },
    ),
    "mistral3": Kind(
        "Mistral 3",
        f"{MODELS}.mistral.modeling_mistral:MistralModel",
        "tekken",
        {5120: "24B"},
        config={"rope_parameters": _rope(1e9), "rms_norm_eps": 1e-5, "sliding_window": None},
    ),
    "llama3": Kind(
        "Llama 3",
        f"{MODELS}.llama.modeling_llama:LlamaModel",
        "llama3",
        {2048: "1B", 3072: "3B", 4096: "8B"},
        config={"rope_parameters": _rope(5e5), "rms_norm_eps": 1e-5},
    ),
}
MISTRAL_VOCABULARY = 131072
SMALL_GEMMA = 1152
"""Gemma 3 of this width and below reads text alone: short windows, positions as they are."""


def llm_layout(shapes: Shapes) -> LanguageLayout | None:
    """The layout of the language model that has these weights; None: it is none that is known.

    Args:
        shapes: names as in the file.
    """
    sight = next(
        (prefix for prefix in SIGHT_PREFIXES if f"{prefix}patch_embed.proj.weight" in shapes), None
    )
    for named in _candidates(shapes):
        if not {WORDS, QUERY, KEY, GATE} <= named.pieces.keys():
            continue
        kind = _kind(named, sight is not None and any(DEEP in name for name in shapes))
        return _layout(kind, named, sight)
    return None


def _candidates(shapes: Shapes) -> list[NamedWeights]:
    found = [
        NamedWeights(
            {
                name.removeprefix(prefix): Piece(name)
                for name in shapes
                if name.startswith((f"{prefix}layers.", f"{prefix}embed_tokens.", f"{prefix}norm."))
            },
            shapes,
        )
        for prefix in TEXT_PREFIXES
    ]
    return [*found, NamedWeights(_gguf(shapes), shapes)]


def _gguf(shapes: Shapes) -> dict[str, Piece]:
    """The pieces of a GGUF file by the names of transformers."""
    gemma = "blk.0.post_ffw_norm.weight" in shapes
    rotated = not gemma and not {"blk.0.attn_q_norm.weight", "blk.0.attn_k.bias"} & shapes.keys()
    names = GGUF_GEMMA if gemma else GGUF_NAMES
    found: dict[str, Piece] = {}
    for name in shapes:
        ours = GGUF_WHOLE.get(name)
        if (match := GGUF_LAYER.fullmatch(name)) is not None and match[2] in names:
            inner = names[match[2]]
            ours = f"layers.{match[1]}.{inner}.{match[3]}"
            if rotated and inner in ROTATED:
                found[ours] = Piece(name, pairs=KINDS["llama3"].head)
                continue
        if ours is not None:
            # llama.cpp adds the 1 that Gemma's norms add to their weights.
            found[ours] = Piece(name, plus=-1.0 if gemma and "norm" in ours else 0.0)
    return found


def _kind(named: NamedWeights, deep: bool) -> str:
    if AFTER in named:
        return "gemma3" if QUERY_NORM in named else "gemma2"
    if KEY_BIAS in named:
        return "qwen2.5-vl"
    if QUERY_NORM in named:
        return "qwen3-vl" if deep else "qwen3"
    return "mistral3" if named.rows(WORDS) == MISTRAL_VOCABULARY else "llama3"


def _layout(name: str, named: NamedWeights, sight: str | None) -> LanguageLayout:
    kind = KINDS[name]
    vocabulary, width = named.shape(WORDS)
    head = named.rows(QUERY_NORM) if QUERY_NORM in named else kind.head
    config: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": named.rows(GATE),
        "num_hidden_layers": named.count("layers."),
        "num_attention_heads": named.rows(QUERY) // head,
        "num_key_value_heads": named.rows(KEY) // head,
        **kind.config,
    }
    if name != "qwen2.5-vl":
        config["head_dim"] = head
    if name == "gemma3" and width <= SMALL_GEMMA:
        positions = {"full_attention": _rope(1e6), "sliding_attention": _rope(1e4)}
        config |= {"rope_parameters": positions, "sliding_window": 512}
    pieces = named.below("", "")
    seeing = SEEING.get(name)
    if seeing is not None:
        pieces = named.below("", "language_model.")
        both: dict[str, Any] = {"text_config": config}
        if sight is not None:
            of_sight = _sight(named.shapes, sight)
            both["vision_config"] = seeing(of_sight, width)
            pieces |= of_sight.below("", "visual.")
        config = both
    return LanguageLayout(
        kind=name,
        title=f"{kind.name} {kind.sizes.get(width, f'of width {width}')}",
        width=width,
        vocabulary=kind.vocabulary,
        network=kind.network,
        config=config,
        pieces=_known(pieces),
        has_norm="norm.weight" in named,
        stack="layers" if seeing is None else "language_model.layers",
        sees=seeing is not None and sight is not None,
        is_published=width in kind.sizes,
    )


def _known(pieces: Pieces) -> Pieces:
    return {name: of_one for name, of_one in pieces.items() if not name.endswith("inv_freq")}


def _sight(shapes: Shapes, prefix: str) -> NamedWeights:
    return NamedWeights(
        {name.removeprefix(prefix): Piece(name) for name in shapes if name.startswith(prefix)},
        shapes,
    )


def _sight_2_5(named: NamedWeights, width: int) -> dict[str, Any]:
    """The vision tower of Qwen2.5-VL; its heads are 80 wide."""
    hidden, _, frames, patch, _ = named.shape("patch_embed.proj.weight")
    depth = named.count("blocks.")
    step = max(1, depth // 4)
    return {
        "depth": depth,
        "hidden_size": hidden,
        "intermediate_size": named.rows("blocks.0.mlp.gate_proj.weight"),
        "num_heads": max(1, hidden // 80),
        "patch_size": patch,
        "temporal_patch_size": frames,
        "out_hidden_size": width,
        "fullatt_block_indexes": list(range(step - 1, depth, step)),
    }


def _sight_3(named: NamedWeights, width: int) -> dict[str, Any]:
    """The vision tower of Qwen3-VL; its heads are 64 wide, or 72 in the large one."""
    hidden, _, frames, patch, _ = named.shape("patch_embed.proj.weight")
    depth, deep = named.count("blocks."), named.count(DEEP)
    return {
        "depth": depth,
        "hidden_size": hidden,
        "intermediate_size": named.rows("blocks.0.mlp.linear_fc1.weight"),
        "num_heads": max(1, hidden // (72 if hidden % 72 == 0 else 64)),
        "patch_size": patch,
        "temporal_patch_size": frames,
        "out_hidden_size": width,
        "num_position_embeddings": named.rows("pos_embed.weight"),
        "deepstack_visual_indexes": _deep_indexes(depth, deep),
    }


def _deep_indexes(depth: int, count: int) -> Sequence[int]:
    """The layers whose answers go deeper into the text; evenly, but in the towers of 27 layers."""
    if (depth, count) == (27, 3):
        return [8, 16, 24]
    return [(number + 1) * depth // (count + 1) - 1 for number in range(count)]


SEEING: Mapping[str, Callable[[NamedWeights, int], dict[str, Any]]] = {
    "qwen2.5-vl": _sight_2_5,
    "qwen3-vl": _sight_3,
}
"""Kinds that have a vision tower, and its configuration."""
