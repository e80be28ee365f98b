"""What a text recipe is: which text encoders, and what becomes of a prompt.

Importing this imports no torch when it is run: the server asks recipes about files too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from nodes.models.families.language_layout import LanguageLayout

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.text.asking import Answer, Asking
    from nodes.models.text.text_encoder import Encoded


class Prompted(Protocol):
    """A prompt and the text encoders of a recipe, which its `encode` asks."""

    @property
    def pictures(self) -> Sequence[Tensor]:
        """Float [1, 3, H, W], 0..1, that the text encoder sees."""
        ...

    @property
    def edits(self) -> bool:
        """Whether the prompt says how pictures change, though there may be none."""
        ...

    @property
    def leaves_empty_out(self) -> bool:
        """Whether a text encoder whose own text is empty is left out."""
        ...

    def text(self, part: str) -> str:
        """The prompt for one text encoder."""
        ...

    def has(self, part: str) -> bool:
        """Whether a text encoder that may be missing is there."""
        ...

    def layers(self, part: str) -> int:
        """How many layers a T5 or a language model has."""
        ...

    def clip(self, *, projected: bool = True) -> Mapping[str, Encoded]:
        """What the text encoders of CLIP make of the prompt, by their names."""
        ...

    def ask(self, part: str, asking: Asking, text: str | None = None) -> Answer:
        """What a T5 or a language model makes of the prompt, or of another text."""
        ...


Vectors: TypeAlias = "tuple[Tensor, dict[str, Any]]"


@dataclass(frozen=True)
class RecipePart:
    """A text encoder of a recipe.

    Attributes:
        name: of its text in nodes with one for each: "clip_l", "t5xxl", "llama".
        wanted: what a person calls it: "T5-XXL".
        kind: see `LanguageLayout`; of CLIP its name.
        widths: of its vectors; a width that no published model of the kind has fits too.
        optional: whether the recipe does without.
    """

    name: str
    wanted: str
    kind: str
    widths: tuple[int, ...] = ()
    optional: bool = False

    @property
    def is_clip(self) -> bool:
        """Whether it is one of CLIP."""
        return self.kind.startswith("clip_")

    def fits(self, layout: LanguageLayout) -> bool:
        """Whether a text encoder other than CLIP can be this one."""
        known = not self.widths or layout.width in self.widths or not layout.is_published
        return layout.kind == self.kind and known


CLIP_L = RecipePart("clip_l", "CLIP-L", "clip_l")
CLIP_G = RecipePart("clip_g", "CLIP-G", "clip_g")
T5_XXL = RecipePart("t5xxl", "T5-XXL", "t5", (4096,))
QWEN_VL_7B = RecipePart("qwen25_7b", "Qwen2.5-VL 7B", "qwen2.5-vl", (3584,))
BYT5 = RecipePart("byt5", "ByT5-small", "byt5", optional=True)
LLAMA_8B = RecipePart("llama", "Llama 3 8B", "llama3", (4096,))
QWEN3_4B = RecipePart("qwen3_4b", "Qwen3 4B", "qwen3", (2560,))


@dataclass(frozen=True)
class Recipe:
    """How a kind of model takes its text from text encoders.

    Attributes:
        name: of its own.
        title: what a person calls the models.
        types: of CLIPLoader and its like by which it is chosen.
        parts: its text encoders.
        encode: the vectors of a prompt [1, tokens, width], and what stands beside them.
        named: the families whose checkpoints have such text encoders; (): that of the title.
    """

    name: str
    title: str
    types: tuple[str, ...]
    parts: tuple[RecipePart, ...]
    encode: Callable[[Prompted], Vectors] = field(repr=False)
    named: tuple[str, ...] = ()

    @property
    def families(self) -> tuple[str, ...]:
        """The families whose checkpoints have such text encoders."""
        return self.named or (self.title,)

    @property
    def wanted(self) -> str:
        """Its text encoders in words."""
        names = [part.wanted for part in self.parts]
        return " and ".join(names) if len(names) < 3 else ", ".join(names)


def pooled(vectors: Tensor | None) -> dict[str, Any]:
    """What stands beside a text whose pooled vector this is; None: it has none."""
    return {"pooled_output": vectors}
