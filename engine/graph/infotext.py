"""The text that AUTOMATIC1111's web UI, Forge and others of its kind write into pictures.

The prompt; a line that begins with "Negative prompt:", and more lines of it; last
``Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, ...``, where values with commas
stand in quotes.
"""

from __future__ import annotations

import re
from typing import Any

from engine.graph.recipe import NAMES, Larger, Lora, Recipe

NEGATIVE = "Negative prompt:"
_LAST = re.compile(r"^[ \t]*Steps: \d+,.*$", re.MULTILINE)
_FIELD = re.compile(r'\s*([A-Za-z][\w \-/]{0,60}?):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')
_TAG = re.compile(r"<(\w+):([^<>:]+)((?::[^<>:]*)*)>")
_WEAKER = re.compile(r"(?<!\\)\[([^\[\]():|\\]+)\]")
_EDITED = re.compile(r"(?<!\\)\[[^\[\]]*[:|][^\[\]]*\]")
_SIZE = re.compile(r"(\d+)\s*x\s*(\d+)")
WEAKER = 0.91
"""What one pair of square brackets makes of a weight: 1 / 1.1."""


def is_infotext(text: str) -> bool:
    """Whether a text is one of these."""
    return _LAST.search(text) is not None


def read_infotext(text: str) -> Recipe:
    """How the picture of such a text was made; `is_infotext` must hold of it."""
    *_, last = _LAST.finditer(text)
    fields = {m[1].strip().lower(): _plain(m[2]) for m in _FIELD.finditer(last[0])}
    positive, _, negative = text[: last.start()].partition(NEGATIVE)
    recipe = Recipe()
    positive = with_tags(recipe, positive, both=True)
    negative = with_tags(recipe, negative, both=False)
    known = _embeddings(fields.get("ti hashes", ""))
    recipe.positive, recipe.negative = (_texts(t, known, recipe) for t in (positive, negative))
    _settings(recipe, fields)
    return recipe


def with_tags(recipe: Recipe, text: str, *, both: bool) -> str:
    """The text without its tags ``<lora:name:weight>``, which go into the recipe.

    Args:
        recipe: gets LoRAs, and notes on other tags.
        text: a prompt.
        both: whether the tags count; those of a negative prompt do not.
    """
    for kind, name, rest in _TAG.findall(text):
        if kind.lower() in ("lora", "lyco"):
            if both:
                recipe.loras.append(_lora(name.strip(), rest.split(":")[1:]))
        else:
            recipe.notes.append(f"<{kind}:{name}{rest}> is not known here; it was left out.")
    bare = _TAG.sub("", text)
    return re.sub(r"[ \t]{2,}", " ", re.sub(r"(,\s*)+,", ",", bare)).strip().strip(",").strip()


def _lora(name: str, weights: list[str]) -> Lora:
    """Weights are of the text encoder, then of the model; one counts for both."""
    plain = [weight for weight in weights if "=" not in weight]
    named = dict(weight.split("=", 1) for weight in weights if "=" in weight)
    clip = _number(named.get("te", plain[0] if plain else ""), 1.0)
    model = _number(named.get("unet", plain[1] if len(plain) > 1 else ""), clip)
    return Lora(name, model, clip)


def _settings(recipe: Recipe, fields: dict[str, str]) -> None:
    take = fields.pop
    recipe.steps = int(_number(take("steps", ""), recipe.steps))
    recipe.cfg = _number(take("cfg scale", ""), recipe.cfg)
    seed = take("seed", "")
    recipe.seed = int(seed) % 2**64 if re.fullmatch(r"\d{1,20}", seed) else 0
    size = _SIZE.search(take("size", ""))
    if size:
        recipe.width, recipe.height = int(size[1]), int(size[2])
    recipe.sample_by(take("sampler", ""), take("schedule type", ""))
    recipe.model = take("model", "")
    vae = take("vae", "")
    recipe.vae = "" if vae.lower() in ("automatic", "none") else vae
    recipe.clip_skip = int(_number(take("clip skip", ""), 1))
    _second_pass(recipe, fields)
    for name in NAMES.without_meaning:
        fields.pop(name, None)
    recipe.notes += [f"{name}: {value} was left out." for name, value in fields.items()]


def _second_pass(recipe: Recipe, fields: dict[str, str]) -> None:
    denoise = fields.pop("denoising strength", None)
    scale, resize = fields.pop("hires upscale", ""), fields.pop("hires resize", "")
    steps, upscaler = fields.pop("hires steps", ""), fields.pop("hires upscaler", "")
    if not (scale or upscaler or _SIZE.search(resize)):
        if denoise is not None:
            recipe.notes.append(
                f"Denoising strength {denoise} was left out: the picture to begin with is missing."
            )
        return
    size = _SIZE.search(resize)
    recipe.larger = Larger(
        scale=_number(scale, 2.0),
        width=int(size[1]) if size else 0,
        height=int(size[2]) if size else 0,
        steps=int(_number(steps, 0)),
        denoise=_number(denoise or "", 0.7),
        upscaler=upscaler or "latent",
    )


def _texts(text: str, embeddings: list[str], recipe: Recipe) -> str:
    """A prompt as it is written here: names of embeddings, brackets that weaken."""
    for name in embeddings:
        bare = rf"(?<![\w:]){re.escape(name)}(?!\w)"
        text = re.sub(bare, lambda match: f"embedding:{match[0]}", text, flags=re.IGNORECASE)
    for edited in _EDITED.findall(text):
        recipe.notes.append(f"{edited} changes during the run there, and is plain text here.")
    return _WEAKER.sub(rf"(\1:{WEAKER})", text)


def _embeddings(hashes: str) -> list[str]:
    """The names in "name: hash, name: hash"."""
    return [part.rpartition(":")[0].strip() for part in hashes.split(",") if ":" in part]


def _plain(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _number(text: str, otherwise: Any) -> Any:
    try:
        number = float(text)
    except ValueError:
        return otherwise
    return number if abs(number) < 1e9 else otherwise
