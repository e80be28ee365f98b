"""Models that take their text from one T5: they differ in the padding, and in what it does."""

from __future__ import annotations

from collections.abc import Callable

from nodes.models.text.recipes.recipe import T5_XXL, Prompted, Recipe, RecipePart, Vectors, pooled

UMT5_XXL = RecipePart("umt5xxl", "UMT5-XXL", "umt5", (4096,))
T5_BASE = RecipePart("t5base", "T5-base", "t5", (768,))
PILE_T5_XL = RecipePart("pile_t5xl", "Pile-T5-XL", "umt5", (2048,))
UMT5_BASE = RecipePart("umt5base", "UMT5-base", "umt5", (768,))


def encoder(
    part: RecipePart,
    shortest: int,
    *,
    masked: bool = False,
    zeroed: bool = False,
    gives: bool = False,
) -> Callable[[Prompted], Vectors]:
    """What a recipe does that asks one T5 and changes nothing.

    Args:
        part: the T5.
        shortest: see `Asking`.
        masked: see `Asking`.
        zeroed: see `Asking`.
        gives: whether the attention mask stands beside the vectors.
    """

    def encode(prompted: Prompted) -> Vectors:
        from nodes.models.text.asking import Asking

        asking = Asking(shortest=shortest, masked=masked, zeroed=zeroed)
        found = prompted.ask(part.name, asking)
        mask = {"attention_mask": found.mask} if gives else {}
        return found.states, {**pooled(None), **mask}

    return encode


CHROMA = Recipe("chroma", "Chroma", ("chroma",), (T5_XXL,), encoder(T5_XXL, 1))
PIXART = Recipe("pixart", "PixArt", ("pixart",), (T5_XXL,), encoder(T5_XXL, 1))
LTXV = Recipe(
    "ltxv", "LTX-Video", ("ltxv",), (T5_XXL,), encoder(T5_XXL, 128, masked=True, gives=True)
)
MOCHI = Recipe(
    "mochi", "Mochi", ("mochi",), (T5_XXL,), encoder(T5_XXL, 256, masked=True, gives=True)
)
COSMOS = Recipe(
    "cosmos", "Cosmos", ("cosmos",), (T5_XXL,), encoder(T5_XXL, 512, masked=True, zeroed=True)
)
COGVIDEOX = Recipe("cogvideox", "CogVideoX", ("cogvideox",), (T5_XXL,), encoder(T5_XXL, 226))
WAN = Recipe(
    "wan",
    "Wan",
    ("wan",),
    (UMT5_XXL,),
    encoder(UMT5_XXL, 512, masked=True, zeroed=True),
    named=("Wan", "Wan 2.2 5B"),
)
AURAFLOW = Recipe(
    "auraflow",
    "AuraFlow",
    ("stable_diffusion", "sd3"),
    (PILE_T5_XL,),
    encoder(PILE_T5_XL, 256, masked=True, zeroed=True),
)
STABLE_AUDIO = Recipe(
    "stable_audio",
    "Stable Audio",
    ("stable_audio",),
    (T5_BASE,),
    encoder(T5_BASE, 128, masked=True, zeroed=True),
)
