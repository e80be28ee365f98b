"""Text encoders that work together by a recipe: the value of CLIP sockets of today's models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.hooks import TextHooks
from nodes.models.files.pieces import NetworkSource
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.networks.network import Handle
from nodes.models.text.asking import Answer, Asking, Padding, ask
from nodes.models.text.language_model import LanguageModel
from nodes.models.text.prompt_encoder import Embeddings, Patches, PromptEncoder
from nodes.models.text.recipes.recipe import Recipe
from nodes.models.text.text_encoder import Encoded, TextEncoder

LOADERS = ("CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader", "QuadrupleCLIPLoader")
"""By how many text encoders they take."""
PADDED = ("t5", "umt5")
"""Kinds of text encoders whose padding a user may change."""
ENCODED_FOR = "encoded_for"
"""Name of an option of conditionings: the recipe that made the text."""


@dataclass(frozen=True, eq=False)
class RecipeEncoder(PromptEncoder):
    """Text encoders that work together by a recipe; each is loaded apart from the others.

    Attributes:
        recipe: what becomes of a prompt.
        clip: those of CLIP, in one; None: there are none.
        models: the others, by the names of the recipe's parts.
        path: of a file that holds one, for messages.
        padding: what a user wants of T5's.
        hooks: what changes them for what they encode; None: nothing.
    """

    recipe: Recipe
    clip: TextEncoder | None
    models: Mapping[str, LanguageModel]
    path: Path
    padding: Padding = field(default=Padding(), kw_only=True)
    hooks: TextHooks | None = field(default=None, repr=False, kw_only=True)

    @property
    def handles(self) -> Sequence[Handle[Any]]:
        """The networks; one of a file serves every recipe that asks it."""
        clip = () if self.clip is None else (self.clip,)
        return (*clip, *self.models.values())

    @property
    def sources(self) -> Sequence[NetworkSource]:
        """The weights of each."""
        return [handle.source for handle in self.handles]

    def changed(self, patches: Patches, hooks: TextHooks | None = None) -> RecipeEncoder:
        """The same with further patches of each network, and with such hooks."""
        models = {
            name: model.patched(*patches(model.source)) for name, model in self.models.items()
        }
        clip = None if self.clip is None else self.clip.changed(patches)
        return replace(self, clip=clip, models=models, hooks=hooks)

    def at_layer(self, layer: int) -> RecipeEncoder:
        """The same, CLIP's text taken at another layer; the others are asked as before."""
        return replace(self, clip=None if self.clip is None else self.clip.at_layer(layer))

    def encode(
        self,
        text: str | Mapping[str, str],
        embeddings: Embeddings = lambda name: None,
        unknown: Callable[[str], object] = lambda name: None,
        **more: Any,
    ) -> Conditioning:
        """The conditioning of a prompt; see `PromptEncoder.encode`.

        Args:
            text: of all, or by the names of the recipe's parts; one without a text has "".
            embeddings: for CLIP.
            unknown: called with the name of each embedding that is left out.
            more: `pictures` [1, 3, H, W], `edits`, `leaves_empty_out`: see `Prompted`.
        """
        if self.hooks is not None:
            return self.hooks.encoded(
                self, lambda encoder: encoder.encode(text, embeddings, unknown, **more)
            )
        self._check_complete()
        states, options = self.recipe.encode(_Prompted(self, text, embeddings, unknown, **more))
        return [(states, {**options, ENCODED_FOR: self.recipe.title})]

    def has(self, part: str) -> bool:
        """Whether a text encoder is there."""
        clip = () if self.clip is None else self.clip.encoders
        return part in self.models or part in [encoder.name for encoder in clip]

    def _check_complete(self) -> None:
        """Check that all text encoders are there that the recipe needs."""
        parts = self.recipe.parts
        missing = [part.wanted for part in parts if not part.optional and not self.has(part.name)]
        if missing or not self.handles:
            raise ModelFileError(
                f"{self.path}: holds no {' and no '.join(missing) or 'text encoder'}; "
                f"{self.recipe.title} takes its text from {self.recipe.wanted}: load it with "
                f"{LOADERS[min(len(parts), 4) - 1]}, of type {self.recipe.types[0]}"
            )


@dataclass(frozen=True, eq=False)
class _Prompted:
    """A prompt for the text encoders of a recipe; see `Prompted`."""

    encoder: RecipeEncoder
    texts: str | Mapping[str, str]
    embeddings: Embeddings
    unknown: Callable[[str], object]
    pictures: Sequence[Tensor] = ()
    edits: bool = False
    leaves_empty_out: bool = False

    def text(self, part: str) -> str:
        return self.texts if isinstance(self.texts, str) else self.texts.get(part, "")

    def has(self, part: str) -> bool:
        return self.encoder.has(part)

    def layers(self, part: str) -> int:
        return self.encoder.models[part].layout.layers

    def clip(self, *, projected: bool = True) -> Mapping[str, Encoded]:
        clip = self.encoder.clip
        if clip is None:
            return {}
        texts = {encoder.name: self.text(encoder.name) for encoder in clip.encoders}
        return clip.each(texts, self.embeddings, self.unknown, projected=projected)

    def ask(self, part: str, asking: Asking, text: str | None = None) -> Answer:
        model = self.encoder.models[part]
        padding = self.encoder.padding if model.layout.kind in PADDED else None
        prompt = self.text(part) if text is None else text
        # One that could see and has no tower is refused there, with the reason.
        pictures = self.pictures if "-vl" in model.layout.kind else ()
        return ask(model, prompt, asking, padding, pictures)
