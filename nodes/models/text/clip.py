"""The text encoder: prompts with weights in, conditioning out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
from torch import Tensor

from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.files.checkpoints import Part
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.torch_devices import compute_dtype
from nodes.models.text.embeddings import read_embedding
from nodes.models.text.prompt_weights import Chunk, Token, Vector, Vectors, chunks
from nodes.models.text.tokenizers import ClipTokenizer, read_clip_tokenizer

if TYPE_CHECKING:
    from transformers.models.clip.modeling_clip import CLIPTextModel

Embeddings: TypeAlias = Callable[[str], Path | None]


class TextNetwork(Network["CLIPTextModel"]):
    """A loaded text encoder with its tokenizer; its weights are rounded to halves, as published."""

    def __init__(self, part: Part, module: CLIPTextModel, device: str, tokenizer: Path) -> None:
        places = torch.arange(module.config.max_position_embeddings, device=device)
        # The one buffer that has no entry in the file.
        module.embeddings.register_buffer("position_ids", places.unsqueeze(0), persistent=False)
        super().__init__(part, module, device, compute_dtype(device), stored=torch.float16)
        self.tokenizer: ClipTokenizer = read_clip_tokenizer(tokenizer)


@dataclass(frozen=True, eq=False)
class Clip(Handle["CLIPTextModel"]):
    """A handle on a text encoder.

    Attributes:
        tokenizer: folder of its vocabulary.
        layer: whose output is taken, counted from the end: -1 the last, -2 the one before, ...
    """

    tokenizer: Path
    layer: int = field(default=-1, kw_only=True)

    @property
    def key(self) -> str:
        """What it computes: base, patches and layer."""
        return f"{super().key}@{self.layer}"

    def at_layer(self, layer: int) -> Clip:
        """The same encoder, its text taken at another layer ("clip skip").

        Raises:
            ValueError: it has fewer layers.
        """
        count = int(self.part.config.get("num_hidden_layers", 12))
        if not -count <= layer <= -1:
            raise ValueError(
                f"stop_at_clip_layer {layer}: this text encoder has {count} layers; "
                f"choose from {-count} to -1"
            )
        return replace(self, layer=layer)

    def load(self, device: str) -> TextNetwork:
        """Read the text encoder's weights to `device`, and its vocabulary."""
        # Not from the package itself: two threads that ask it for names at once may find none.
        from transformers.models.clip.configuration_clip import CLIPTextConfig
        from transformers.models.clip.modeling_clip import CLIPTextModel

        kind: Any = CLIPTextConfig
        with torch.device("meta"):
            module = CLIPTextModel(kind.from_dict(dict(self.part.config)))
        return TextNetwork(self.part, module, device, self.tokenizer)

    def tokenize(
        self,
        text: str,
        vectors: Vectors = lambda name: (),
        unknown: Callable[[str], object] = lambda name: None,
    ) -> list[Chunk]:
        """`text` as chunks of (token, weight); see `chunks`."""
        tokenizer = cast(TextNetwork, self.network).tokenizer
        return chunks(
            text,
            tokenizer.ids,
            start=tokenizer.start,
            end=tokenizer.end,
            pad=tokenizer.pad,
            length=tokenizer.length,
            vectors=vectors,
            unknown=unknown,
        )

    def encode(
        self,
        text: str,
        embeddings: Embeddings = lambda name: None,
        unknown: Callable[[str], object] = lambda name: None,
    ) -> Conditioning:
        """The conditioning of a prompt: [1, tokens, width] on the CPU, and pooled [1, width].

        A weight moves a token's vector away from, or towards, its vector in the empty prompt.

        Args:
            text: may name embeddings.
            embeddings: the file of one by its name, None where there is none.
            unknown: is told the name of each that has no file, and is left out.

        Raises:
            ModelFileError: an embedding for another kind of model.
        """
        table = _Table(embeddings, int(self.part.config["hidden_size"]))
        parts = self.tokenize(text, table.vectors, unknown)
        weights = torch.tensor([[weight for _, weight in part] for part in parts])
        if weighted := bool((weights != 1).any()):
            parts = [*parts, *self.tokenize("")]
        states, pooled = self._states([[token for token, _ in part] for part in parts], table)
        if weighted:
            states, empty = states[:-1], states[-1:]
            states = (states - empty) * weights.unsqueeze(-1) + empty
        joined = states.reshape(1, -1, states.shape[-1])
        return [(joined, {"pooled_output": pooled[:1]})]

    @torch.no_grad()
    def _states(self, tokens: Sequence[Sequence[Token]], table: _Table) -> tuple[Tensor, Tensor]:
        """Vectors of each token [chunks, tokens, width], and one for each chunk [chunks, width]."""
        network = self.network
        ids = [[token if isinstance(token, int) else 0 for token in chunk] for chunk in tokens]

        def put_in(module: object, inputs: object, output: Tensor) -> Tensor:
            return table.put_into(output, tokens)

        words: Any = network.module.embeddings.token_embedding
        hook = words.register_forward_hook(put_in)
        try:
            output: Any = network.module(
                input_ids=torch.tensor(ids, device=network.device), output_hidden_states=True
            )
        finally:
            hook.remove()
        states: Tensor = output.last_hidden_state
        if self.layer != -1:
            states = network.module.final_layer_norm(output.hidden_states[self.layer])
        return states.float().cpu(), output.pooler_output.float().cpu()


class _Table:
    """The embeddings that one prompt names, each read once."""

    def __init__(self, embeddings: Embeddings, width: int) -> None:
        self._embeddings = embeddings
        self._width = width
        self._read: dict[str, Tensor] = {}

    def vectors(self, name: str) -> list[Vector]:
        """A place for each vector of an embedding; none where there is no such file."""
        if name not in self._read:
            path = self._embeddings(name)
            if path is None:
                return []
            self._read[name] = read_embedding(path, self._width)
        return [Vector(name, index) for index in range(len(self._read[name]))]

    def put_into(self, states: Tensor, tokens: Sequence[Sequence[Token]]) -> Tensor:
        """The vectors of words [chunks, tokens, width], those of embeddings at their places."""
        for row, chunk in enumerate(tokens):
            for column, token in enumerate(chunk):
                if isinstance(token, Vector):
                    states[row, column] = self._read[token.embedding][token.index].to(states)
        return states
