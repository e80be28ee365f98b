"""Text encoders other than CLIP: T5 and language models, as networks of transformers.

One file's network serves every kind of model that takes its text from it: what each asks of it (a
template, layers, padding) is in `nodes.models.text.recipes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nodes.models.families.language_layout import LanguageLayout
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.networks.building import built, network_class
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.precision import compute_dtype
from nodes.models.text.seeing import Seen, grids, see
from nodes.models.text.vocabularies import Vocabulary, vocabulary_of

HALVES = ("bf16",)
"""They are published in these; T5 grows beyond what float16 can hold."""
LAST = -1
"""The last layer's output, behind the norm; other negative layers count from the end, without."""


@dataclass(frozen=True, eq=False)
class LanguageModel(Handle[nn.Module]):
    """A handle on a text encoder other than CLIP.

    Attributes:
        layout: what it is and how it is built.
    """

    layout: LanguageLayout = field(kw_only=True)
    keeps_quantized: ClassVar[bool] = True

    @property
    def vocabulary(self) -> Vocabulary:
        """Its tokenizer.

        Raises:
            ModelFileError: the file has none, and none lies beside it; says where one belongs.
        """
        return vocabulary_of(self.source.header, self.layout.vocabulary)

    def dtype_on(self, device: str) -> torch.dtype:
        """The format of text encoders."""
        return compute_dtype(device, HALVES)

    def load(self, device: str) -> Network[nn.Module]:
        """Read the weights to `device`.

        Raises:
            ModelFileError: some are missing in the file, or broken.
        """
        module = built(lambda: _module(self.layout))
        return Network(self.source, module, device, self.dtype_on(device), keeps_quantized=True)

    @torch.no_grad()
    def states(
        self,
        tokens: Sequence[Sequence[int]],
        layers: Sequence[int] = (LAST,),
        mask: Tensor | None = None,
        pictures: Sequence[Tensor] = (),
    ) -> list[Tensor]:
        """Vectors of tokens at some layers, each [texts, tokens, width], float32 on the CPU.

        Args:
            tokens: of some texts of equal length.
            layers: -1: the last, behind its norm; -2, -3, ...: those before, without a norm; 1,
                2, ...: behind so many layers, without a norm; 0: the words themselves.
            mask: [texts, tokens], 0 where no other token looks; None: all are looked at.
            pictures: float [1, 3, H, W], 0..1, for the places that `see` marks, of one text.

        Raises:
            ModelFileError: there are pictures and the file has no vision tower.
        """
        if pictures and not self.layout.sees:
            raise ModelFileError(
                f"{self.source.header.path}: this {self.layout.title} has no vision tower, and the "
                "prompt has pictures; take the file with the tower (its tensors begin with visual.)"
            )
        with self.exclusive() as network:
            given: dict[str, Any] = {
                "input_ids": torch.tensor(tokens, device=network.device),
                "attention_mask": None if mask is None else mask.to(network.device),
            }
            if pictures:
                given |= see(pictures, given["input_ids"], network.module, network.dtype)
            return _answers(network.module, self.layout, given, layers)

    def seen(self, pictures: Sequence[Tensor]) -> list[Seen]:
        """How many tokens each of some pictures takes; see `states`."""
        return grids(pictures, self.layout.config.get("vision_config", {}))


def _answers(
    module: nn.Module, layout: LanguageLayout, given: Mapping[str, Any], layers: Sequence[int]
) -> list[Tensor]:
    """What some layers answer."""
    stack: Any = module.get_submodule(layout.stack)
    count = len(stack)
    wanted = {layer: count + 1 + layer if layer < LAST else layer for layer in layers}
    if any(not -1 <= place <= count for place in wanted.values()):
        raise ModelFileError(
            f"this {layout.title} has {count} layers, and layer {max(layers, key=abs)} of it was "
            "asked for; it is too short for this model, take the whole file"
        )
    kept: dict[int, Tensor] = {}

    def keep(place: int, states: Tensor) -> None:
        kept[place] = states.float().cpu()

    with ExitStack() as hooks:
        for place in {place for place in wanted.values() if 0 <= place < count}:

            def before(_: Any, args: Any, kwargs: Any, place: int = place) -> None:
                keep(place, args[0] if args else kwargs["hidden_states"])

            handle = stack[place].register_forward_pre_hook(before, with_kwargs=True)
            hooks.callback(handle.remove)

        def after(_: Any, args: Any, output: Any) -> None:
            keep(count, output if isinstance(output, Tensor) else output[0])

        hooks.callback(stack[count - 1].register_forward_hook(after).remove)
        last: Tensor = _called(module, layout, given).last_hidden_state.float().cpu()
    return [last if layer == LAST else kept[wanted[layer]] for layer in layers]


def _called(module: Any, layout: LanguageLayout, given: Mapping[str, Any]) -> Any:
    if layout.kind in ("t5", "umt5", "byt5"):
        return module(**given)
    if "pixel_values" not in given and layout.stack.startswith("language_model."):
        module = module.language_model
    return module(**given, use_cache=False)


def _module(layout: LanguageLayout) -> nn.Module:
    """The network, its weights without storage."""
    kind = network_class(layout.network)
    module: Any = kind(_config(kind, layout))
    for dense in module.modules():
        if type(dense).__name__.endswith(("DenseActDense", "DenseGatedActDense")):
            dense.__class__ = _Dense
    if not layout.has_norm:
        holder = module.get_submodule(layout.stack.rpartition(".")[0])
        name = "final_layer_norm" if layout.stack == "block" else "norm"
        setattr(holder, name, nn.Identity())
    if hasattr(module, "visual") and not layout.sees:
        del module.visual
    return module


def _config(kind: Any, layout: LanguageLayout) -> Any:
    made = kind.config_class(**layout.config)
    if "vision_config" not in layout.config and hasattr(made, "vision_config"):
        made.vision_config.depth = 0
    return made


class _Dense(nn.Module):
    """T5's feed-forward layers; transformers' own take a weight in few bits for a format."""

    def forward(self, states: Tensor) -> Tensor:
        """As T5 does, [..., width] to the same shape; `wi` alone where there is no gate."""
        own: Any = self
        gated = hasattr(self, "wi_0")
        inner = own.act(own.wi_0(states)) * own.wi_1(states) if gated else own.act(own.wi(states))
        return own.wo(inner)
