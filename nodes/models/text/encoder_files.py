"""Text encoders by their files: which recipe they are for, and handles on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nodes.models.families.family import Encoder
from nodes.models.families.sd1 import CLIP_L
from nodes.models.families.sdxl import CLIP_G
from nodes.models.families.text_encoder_files import language_layouts
from nodes.models.files.checkpoints import Checkpoint
from nodes.models.files.clip_files import (
    ENCODER_TITLES,
    clip_encoders,
    read_text_encoders,
    text_source,
)
from nodes.models.files.pieces import NetworkSource, Pieces, checked, placed
from nodes.models.files.tensor_files import Header, ModelFileError, joined, read_header
from nodes.models.files.unfit import encoder_complaint
from nodes.models.text.language_model import LanguageModel
from nodes.models.text.prompt_encoder import PromptEncoder
from nodes.models.text.recipe_encoder import RecipeEncoder
from nodes.models.text.recipes.recipe import Recipe
from nodes.models.text.recipes.registry import RECIPES, recipes_of
from nodes.models.text.text_encoder import TextEncoder
from nodes.models.text.tokenizers import PUBLISHED

CLIP_TYPES = {"stable_diffusion": "CLIP-L, CLIP-G or CLIP-H", "sdxl": "CLIP-L and CLIP-G"}
"""Types that mean CLIP alone, and what they take."""
ENCODERS = {
    "clip_l": replace(CLIP_L, layer=-2, final_norm=False),
    "clip_g": CLIP_G,
}
"""How recipes take the text of CLIP: the layer before the last, without the last norm."""


def read_prompt_encoder(paths: Sequence[Path], type: str) -> PromptEncoder:
    """The text encoders that files of their own hold, as a type of CLIPLoader takes them.

    Raises:
        ModelFileError: a file holds none that is supported, or they are not those of the type; says
            what is wanted, and of what they are.
    """
    headers = [read_header(path) for path in paths]
    clips: dict[str, Header] = {}
    models: list[LanguageModel] = []
    for header in headers:
        own, others = clip_encoders(header), language_models(header)
        if not own and not others:
            raise ModelFileError(encoder_complaint(header.path, header.shapes))
        clips |= dict.fromkeys(own, header)
        models += others.values()
    if type in CLIP_TYPES and not models:
        return TextEncoder.of(read_text_encoders(paths))
    for recipe in recipes_of(type):
        if (made := _made(recipe, clips, models)) is not None:
            return replace(made, path=paths[0])
    raise ModelFileError(_unfit(paths, type, [*clips], models))


def encoder_of(checkpoint: Checkpoint) -> PromptEncoder:
    """The text encoders of a checkpoint, as its family takes them; any may be missing there."""
    family, header = checkpoint.denoiser.family, checkpoint.denoiser.source.header
    recipes = [recipe for recipe in RECIPES if family.name in recipe.families]
    if family.encoders or not recipes:
        return TextEncoder.of(checkpoint.text_encoder)
    models = [*language_models(header).values()]
    recipe = next((recipe for recipe in recipes if _parts(recipe, models)), recipes[0])
    clips = dict.fromkeys(clip_encoders(header), header)
    return RecipeEncoder(recipe, _clip(recipe, clips), _parts(recipe, models), header.path)


def read_language_model(path: Path) -> LanguageModel:
    """The text encoder other than CLIP that a file holds.

    Raises:
        ModelFileError: it holds none; says what was found.
    """
    header = read_header(path)
    found = language_models(header)
    if not found:
        raise ModelFileError(encoder_complaint(path, header.shapes) or f"{path}: holds CLIP alone")
    return next(iter(found.values()))


def language_models(header: Header) -> Mapping[str, LanguageModel]:
    """The text encoders other than CLIP in a file, by their titles.

    Raises:
        ModelFileError: one has a tensor that is too small.
    """
    found: dict[str, LanguageModel] = {}
    for layout in language_layouts(header.shapes):
        checked(header.path, header.shapes, layout.pieces)
        source = NetworkSource(header, layout.pieces, "", layout.config, layout.title)
        found[layout.title] = LanguageModel(source, layout=layout)
    return found


def _made(
    recipe: Recipe, clips: Mapping[str, Header], models: Sequence[LanguageModel]
) -> RecipeEncoder | None:
    """The text encoders by a recipe; None: they are not those that it takes."""
    parts = _parts(recipe, models)
    named = {part.name for part in recipe.parts if part.is_clip and part.kind in clips}
    needed = {part.name for part in recipe.parts if not part.optional}
    whole = len(parts) == len(models) and len(named) == len(clips)
    if not whole or needed - named - parts.keys():
        return None
    return RecipeEncoder(recipe, _clip(recipe, clips), parts, Path())


def _parts(recipe: Recipe, models: Sequence[LanguageModel]) -> dict[str, LanguageModel]:
    """Which text encoder is which part of a recipe."""
    found: dict[str, LanguageModel] = {}
    for model in models:
        fitting = [p for p in recipe.parts if p.fits(model.layout) and p.name not in found]
        if fitting:
            found[fitting[0].name] = model
    return found


def _clip(recipe: Recipe, clips: Mapping[str, Header]) -> TextEncoder | None:
    """Those of CLIP that a recipe takes, in one."""
    wanted = [part.kind for part in recipe.parts if part.is_clip and part.kind in clips]
    if not wanted:
        return None
    headers = {f"{place}:": header for place, header in enumerate(dict.fromkeys(clips.values()))}
    found: dict[str, tuple[Pieces, Mapping[str, Any]]] = {}
    encoders: list[Encoder] = []
    for name in wanted:
        begin = next(begin for begin, header in headers.items() if header is clips[name])
        pieces, config = clip_encoders(clips[name])[name]
        found[name] = placed(pieces, "", begin), config
        encoders.append(ENCODERS[name])
    source = text_source(joined(headers), encoders, found, dict.fromkeys(wanted, PUBLISHED))
    return TextEncoder.of(source)


def _unfit(
    paths: Sequence[Path], type: str, clips: Sequence[str], models: Sequence[LanguageModel]
) -> str:
    """Why some text encoders are not of a type: what is wanted, and where they belong."""
    there = [ENCODER_TITLES[name] for name in clips] + [model.layout.title for model in models]
    takes = [f"{recipe.wanted} ({recipe.title})" for recipe in recipes_of(type)]
    if type in CLIP_TYPES:
        takes.insert(0, CLIP_TYPES[type])
    fitting = [
        f"{recipe.types[0]} ({recipe.title})"
        for recipe in RECIPES
        if any(part.fits(model.layout) for part in recipe.parts for model in models)
    ]
    names = ", ".join(str(path) for path in paths)
    of = f"; {' and '.join(there)} is for the types {', '.join(fitting)}" if fitting else ""
    return (
        f"{names}: {' and '.join(there)}, and the type {type} takes {', or '.join(takes)}{of}. "
        "Choose that type, or other files"
    )
