"""How a text encoder of T5 is built, by the names and shapes of its weights.

Understood are the names of transformers' ``T5EncoderModel`` and those of GGUF files. UMT5 and
Pile-T5 have a table of relative positions in each layer, T5 has one in its first; ByT5 is a T5 that
reads bytes.
"""

from __future__ import annotations

import re
from typing import Any

from nodes.models.families.language_layout import LanguageLayout, NamedWeights, Shapes
from nodes.models.files.pieces import Piece

MODELS = "transformers.models"
STACKS = {
    "t5": f"{MODELS}.t5.modeling_t5:T5Stack",
    "byt5": f"{MODELS}.t5.modeling_t5:T5Stack",
    "umt5": f"{MODELS}.umt5.modeling_umt5:UMT5Stack",
}
SIZES = {512: "small", 768: "base", 1024: "large", 1472: "small", 2048: "XL", 4096: "XXL"}
NAMES = {"t5": "T5", "byt5": "ByT5", "umt5": "UMT5"}
BYTES = 2000
"""A vocabulary smaller than this is of bytes, with some marks: 384 in ByT5, 1510 for glyphs."""
PILE_VOCABULARY = 32128
"""Of Pile-T5, which has UMT5's layers and Llama's words."""

QUERY = "block.0.layer.0.SelfAttention.q.weight"
POSITIONS = "block.{}.layer.0.SelfAttention.relative_attention_bias.weight"
GATED, PLAIN = "wi_0", "wi"
WORDS = ("shared.weight", "encoder.embed_tokens.weight", "embed_tokens.weight")
GGUF_LAYER = re.compile(r"enc\.blk\.(\d+)\.(\w+)\.weight")
GGUF_NAMES = {
    "attn_q": "layer.0.SelfAttention.q",
    "attn_k": "layer.0.SelfAttention.k",
    "attn_v": "layer.0.SelfAttention.v",
    "attn_o": "layer.0.SelfAttention.o",
    "attn_rel_b": "layer.0.SelfAttention.relative_attention_bias",
    "attn_norm": "layer.0.layer_norm",
    "ffn_gate": "layer.1.DenseReluDense.wi_0",
    "ffn_up": "layer.1.DenseReluDense.wi_1",
    "ffn_down": "layer.1.DenseReluDense.wo",
    "ffn_norm": "layer.1.layer_norm",
}
GGUF_WHOLE = {
    "token_embd.weight": "embed_tokens.weight",
    "enc.output_norm.weight": "final_layer_norm.weight",
}


def t5_layout(shapes: Shapes) -> LanguageLayout | None:
    """The layout of the T5 that has these weights; None: it is none.

    Args:
        shapes: names without a prefix.
    """
    named = NamedWeights(_named(shapes), shapes)
    if "embed_tokens.weight" not in named or QUERY not in named or POSITIONS.format(0) not in named:
        return None
    vocabulary, width = named.shape("embed_tokens.weight")
    kind = "umt5" if POSITIONS.format(1) in named else "t5"
    if vocabulary < BYTES:
        kind = "byt5"
    dense = "block.0.layer.1.DenseReluDense"
    gated = f"{dense}.{GATED}.weight" in named
    first = f"{dense}.{GATED if gated else PLAIN}.weight"
    if first not in named:
        return None
    buckets, heads = named.shape(POSITIONS.format(0))
    config: dict[str, Any] = {
        "vocab_size": vocabulary,
        "d_model": width,
        "d_kv": named.rows(QUERY) // heads,
        "d_ff": named.rows(first),
        "num_layers": named.count("block."),
        "num_heads": heads,
        "relative_attention_num_buckets": buckets,
        "feed_forward_proj": "gated-gelu" if gated else "relu",
        "is_encoder_decoder": False,
        "use_cache": False,
    }
    pile = kind == "umt5" and vocabulary == PILE_VOCABULARY
    name = "Pile-T5" if pile else NAMES[kind]
    return LanguageLayout(
        kind=kind,
        title=f"{name}-{SIZES.get(width, width)}",
        width=width,
        vocabulary={"byt5": "bytes"}.get(kind, "pile-t5" if pile else kind),
        network=STACKS[kind],
        config=config,
        pieces=named.below("", ""),
        stack="block",
        has_norm="final_layer_norm.weight" in named,
        is_published=width in SIZES,
    )


def _named(shapes: Shapes) -> dict[str, Piece]:
    found: dict[str, Piece] = {}
    for name in shapes:
        if (ours := _renamed(name)) is not None:
            found.setdefault(ours, Piece(name))
    return found


def _renamed(name: str) -> str | None:
    """Name of a weight in transformers' ``T5Stack``; None: it has none there."""
    if name in WORDS:
        return "embed_tokens.weight"
    if name in GGUF_WHOLE:
        return GGUF_WHOLE[name]
    if (match := GGUF_LAYER.fullmatch(name)) is not None:
        ours = GGUF_NAMES.get(match[2])
        return None if ours is None else f"block.{match[1]}.{ours}.weight"
    inner = name.removeprefix("encoder.")
    known = inner.startswith("block.") or inner == "final_layer_norm.weight"
    return inner if known and not name.startswith("decoder.") else None
