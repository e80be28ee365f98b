"""The text encoders of a model: prompts with weights in, conditioning out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn

from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.hooks import TextHooks
from nodes.models.families.family import Encoder
from nodes.models.files.clip_files import ENCODER_TITLES, TextEncoderSource
from nodes.models.files.pieces import NetworkSource
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.networks.building import built
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.precision import compute_dtype
from nodes.models.text.embeddings import read_embedding
from nodes.models.text.prompt_encoder import Embeddings, Patches, PromptEncoder
from nodes.models.text.prompt_weights import Chunk, Token, Vector, Vectors, chunks
from nodes.models.text.tokenizers import ClipTokenizer, read_clip_tokenizer

if TYPE_CHECKING:
    from transformers.models.clip.modeling_clip import CLIPTextModel

Change: TypeAlias = Callable[[Encoder, Sequence[Chunk]], list[Chunk]]
ENCODER_HALVES = ("fp16",)
"""Their weights are published in these, and bfloat16 has an eighth of the steps."""


class TextNetwork(Network[nn.ModuleDict]):
    """Loaded text encoders with their tokenizers; weights are rounded to halves, as published."""

    def __init__(
        self,
        source: NetworkSource,
        module: nn.ModuleDict,
        device: str,
        tokenizers: Mapping[str, Path],
    ) -> None:
        super().__init__(
            source,
            module,
            device,
            compute_dtype(device, ENCODER_HALVES),
            stored=torch.float16,
            keeps_quantized=True,
        )
        self.tokenizers = {name: read_clip_tokenizer(folder) for name, folder in tokenizers.items()}


class Encoded(NamedTuple):
    """What one encoder makes of a prompt.

    Attributes:
        states: [1, tokens, width] on the CPU.
        pooled: [1, width], of the first chunk.
    """

    states: Tensor
    pooled: Tensor


@dataclass(frozen=True, eq=False)
class TextEncoder(Handle[nn.ModuleDict], PromptEncoder):
    """A handle on the text encoders of CLIP of a model.

    Attributes:
        encoders: what is taken from each.
        tokenizers: folder of each one's vocabulary, by its name.
        layer: whose output is taken of all, counted from the end: -1 the last, -2 the one before,
            ...; None: as the family has it.
        hooks: what changes it for what it encodes; None: nothing.
    """

    encoders: tuple[Encoder, ...]
    tokenizers: Mapping[str, Path] = field(repr=False)
    layer: int | None = field(default=None, kw_only=True)
    hooks: TextHooks | None = field(default=None, repr=False, kw_only=True)
    keeps_quantized: ClassVar[bool] = True

    @classmethod
    def of(cls, text: TextEncoderSource) -> TextEncoder:
        """The handle on what a file holds."""
        return cls(text.source, text.encoders, text.tokenizers)

    @property
    def sources(self) -> Sequence[NetworkSource]:
        """The weights of all in one."""
        return (self.source,)

    def changed(self, patches: Patches, hooks: TextHooks | None = None) -> TextEncoder:
        """The same with further patches, and with such hooks."""
        return self.patched(*patches(self.source), hooks=hooks)

    @property
    def key(self) -> str:
        """What it computes: base, patches and layer."""
        return f"{super().key}@{self.layer}"

    def dtype_on(self, device: str) -> torch.dtype:
        """The format of text encoders."""
        return compute_dtype(device, ENCODER_HALVES)

    def at_layer(self, layer: int) -> TextEncoder:
        """The same encoders, their text taken at another layer ("clip skip").

        An encoder with fewer layers gives its last.
        """
        return replace(self, layer=layer)

    def load(self, device: str) -> TextNetwork:
        """Read the text encoders' weights to `device`, and their vocabularies.

        Raises:
            ModelFileError: one is missing in the file, or broken.
        """
        if not self.encoders:
            raise ModelFileError(
                f"{self.source.header.path}: this kind of model is given a picture and no text; "
                "load it with ImageOnlyCheckpointLoader, and encode the picture with what it gives"
            )
        for encoder in self.encoders:
            if encoder.name not in self.source.config:
                raise ModelFileError(self._missing(encoder))
        module = built(self._module)
        return TextNetwork(self.source, module, device, self.tokenizers)

    def _module(self) -> nn.ModuleDict:
        names = [encoder.name for encoder in self.encoders]
        modules = {name: _encoder(self.source.config[name], self._projects(name)) for name in names}
        return nn.ModuleDict(modules)

    def _missing(self, encoder: Encoder) -> str:
        title, path = ENCODER_TITLES[encoder.name], self.source.header.path
        if len(self.encoders) == 1:
            return f"{path}: holds no text encoder ({title}); load one with CLIPLoader"
        return (
            f"{path}: holds no {title}, a half of the text encoder of this model; load "
            f"{' and '.join(ENCODER_TITLES[e.name] for e in self.encoders)} with DualCLIPLoader"
        )

    def _projects(self, name: str) -> bool:
        return f"{name}.text_projection.weight" in self.source.pieces

    def tokenize(
        self,
        text: str,
        vectors: Vectors = lambda name: (),
        unknown: Callable[[str], object] = lambda name: None,
        encoder: Encoder | None = None,
    ) -> list[Chunk]:
        """`text` as chunks of (token, weight) of one encoder, the first; see `chunks`."""
        encoder = encoder or self.encoders[0]
        tokenizer: ClipTokenizer = cast(TextNetwork, self.network).tokenizers[encoder.name]
        return chunks(
            text,
            tokenizer.ids,
            start=tokenizer.start,
            end=tokenizer.end,
            pad=tokenizer.pad if encoder.pad is None else encoder.pad,
            length=tokenizer.length,
            vectors=vectors,
            unknown=unknown,
        )

    def encode(
        self,
        text: str | Mapping[str, str],
        embeddings: Embeddings = lambda name: None,
        unknown: Callable[[str], object] = lambda name: None,
        *,
        projected: bool = True,
        change: Change = lambda _, parts: [*parts],
        **more: Any,
    ) -> Conditioning:
        """The conditioning of a prompt: [1, tokens, width] on the CPU, and pooled [1, width].

        Texts of several encoders stand side by side; the pooled one is the last encoder's. A
        weight moves a token's vector away from, or towards, its vector in the empty prompt.

        Args:
            text: may name embeddings; or one for each encoder, by its name.
            embeddings: the file of one by its name, None where there is none.
            unknown: called with the name of each that has no file, and is left out.
            projected: whether the pooled vector is projected where the family has it so.
            change: gets the chunks of each encoder, and gives those that are encoded.
            more: means nothing to CLIP, but that it sees no `pictures`.

        Raises:
            ModelFileError: an embedding for another kind of model.
            ValueError: there are pictures.
        """
        if more.get("pictures"):
            raise ValueError(
                "this CLIP reads texts alone and sees no pictures; load Qwen2.5-VL by CLIPLoader, "
                "of type qwen_image"
            )
        if self.hooks is not None:
            return self.hooks.encoded(
                self,
                lambda clip: clip.encode(
                    text, embeddings, unknown, projected=projected, change=change
                ),
            )
        found = [*self.each(text, embeddings, unknown, projected=projected, change=change).values()]
        tokens = min(encoded.states.shape[1] for encoded in found)
        joined = torch.cat([encoded.states[:, :tokens] for encoded in found], dim=-1)
        return [(joined, {"pooled_output": found[-1].pooled})]

    def each(
        self,
        text: str | Mapping[str, str],
        embeddings: Embeddings = lambda name: None,
        unknown: Callable[[str], object] = lambda name: None,
        *,
        projected: bool = True,
        change: Change = lambda _, parts: [*parts],
    ) -> dict[str, Encoded]:
        """What each encoder makes of a prompt, by its name; see `encode`.

        All are as many chunks long.
        """
        names = [encoder.name for encoder in self.encoders]
        named = {name: text if isinstance(text, str) else text.get(name, "") for name in names}
        tables = {e.name: _Table(embeddings, self._width(e), e.name) for e in self.encoders}
        parts = {
            e.name: change(e, self.tokenize(named[e.name], tables[e.name].vectors, unknown, e))
            for e in self.encoders
        }
        longest = max(len(of_one) for of_one in parts.values())
        found: dict[str, Encoded] = {}
        for encoder in self.encoders:
            empty = self.tokenize("", encoder=encoder)
            own = parts[encoder.name]
            own += empty * (longest - len(own))
            asked = encoder if projected else replace(encoder, projected=False)
            found[encoder.name] = self._encoded(asked, own, empty, tables[encoder.name])
        return found

    def _width(self, encoder: Encoder) -> int:
        return int(self.source.config[encoder.name]["hidden_size"])

    def _encoded(
        self, encoder: Encoder, parts: Sequence[Chunk], empty: Sequence[Chunk], table: _Table
    ) -> Encoded:
        weights = torch.tensor([[weight for _, weight in part] for part in parts])
        weighted = bool((weights != 1).any())
        asked = [*parts, *empty] if weighted else parts
        tokens = [[token for token, _ in part] for part in asked]
        states, pooled = self._states(encoder, tokens, table)
        if weighted:
            states, rest = states[:-1], states[-1:]
            moved = (states - rest) * weights.unsqueeze(-1) + rest
            states = torch.where(weights.unsqueeze(-1) == 1, states, moved)
        return Encoded(states.reshape(1, -1, states.shape[-1]), pooled[:1])

    @torch.no_grad()
    def _states(
        self, encoder: Encoder, tokens: Sequence[Sequence[Token]], table: _Table
    ) -> tuple[Tensor, Tensor]:
        """Vectors of each token [chunks, tokens, width], and one for each chunk [chunks, width]."""
        ids = [[token if isinstance(token, int) else 0 for token in chunk] for chunk in tokens]

        def put_in(module: object, inputs: object, output: Tensor) -> Tensor:
            return table.put_into(output, tokens)

        with self.exclusive() as network:
            module: Any = network.module[encoder.name]
            hook = module.embeddings.token_embedding.register_forward_hook(put_in)
            try:
                output: Any = module(
                    input_ids=torch.tensor(ids, device=network.device), output_hidden_states=True
                )
            finally:
                hook.remove()
            pooled: Tensor = output.pooler_output
            if encoder.projected and self._projects(encoder.name):
                pooled = module.text_projection(pooled)
            layer = encoder.layer if self.layer is None else self.layer
            states: Tensor = output.last_hidden_state
            hidden: Sequence[Tensor] = output.hidden_states
            # (the first of them is what the first layer is given)
            if -len(hidden) < layer < -1 or (layer == -1 and not encoder.final_norm):
                states = hidden[layer]
                if encoder.final_norm:
                    states = module.final_layer_norm(states)
            return states.float().cpu(), pooled.float().cpu()


def clip_alone(encoder: PromptEncoder) -> TextEncoder:
    """The text encoders of CLIP that a node changes or saves.

    Raises:
        ValueError: there are others among them.
    """
    if not isinstance(encoder, TextEncoder):
        raise ValueError(
            "this CLIP has text encoders other than CLIP-L, CLIP-G and CLIP-H, which this node "
            "does not work on; give it the CLIP of a Stable Diffusion checkpoint, or leave it out"
        )
    return encoder


def _encoder(config: Mapping[str, Any], projects: bool) -> CLIPTextModel:
    """A text encoder, its weights without storage."""
    # Not from the package itself: two threads that ask it for names at once may find none.
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    kind: Any = CLIPTextConfig
    module = CLIPTextModel(kind.from_dict(dict(config)))
    if projects:
        width = int(config["hidden_size"])
        module.text_projection = nn.Linear(
            width, int(config.get("projection_dim", width)), bias=False
        )
    return module


class _Table:
    """The embeddings that one prompt names, each read once for one encoder."""

    def __init__(self, embeddings: Embeddings, width: int, encoder: str) -> None:
        self._embeddings = embeddings
        self._width = width
        self._encoder = encoder
        self._read: dict[str, Tensor] = {}

    def vectors(self, name: str) -> list[Vector]:
        """A place for each vector of an embedding; none where there is no such file."""
        if name not in self._read:
            path = self._embeddings(name)
            if path is None:
                return []
            self._read[name] = read_embedding(path, self._width, self._encoder)
        return [Vector(name, index) for index in range(len(self._read[name]))]

    def put_into(self, states: Tensor, tokens: Sequence[Sequence[Token]]) -> Tensor:
        """The vectors of words [chunks, tokens, width], those of embeddings at their places."""
        for row, chunk in enumerate(tokens):
            for column, token in enumerate(chunk):
                if isinstance(token, Vector):
                    states[row, column] = self._read[token.embedding][token.index].to(states)
        return states
