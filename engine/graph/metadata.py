"""JSON that InvokeAI and SwarmUI write into pictures, as far as it says what our nodes can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from engine.graph.infotext import with_tags
from engine.graph.recipe import Larger, Lora, Recipe

Fields = Mapping[str, Any]

INVOKE_SILENT = frozenset(
    {"generation_mode", "app_version", "rand_device", "metadata_version", "created_by"}
    | {"cfg_rescale_multiplier", "seamless_x", "seamless_y", "ref_images", "canvas_v2_metadata"}
    | {"positive_style_prompt", "negative_style_prompt", "_canvas_objects"}
)
SWARM_SILENT = frozenset(
    {"swarm_version", "aspectratio", "images", "batchsize", "automaticvae", "date"}
    | {"generation_time", "sidelength", "personalnote", "preferredcontroltype"}
)


def is_invoke(document: Any) -> bool:
    """Whether a document is InvokeAI's metadata."""
    return isinstance(document, dict) and "positive_prompt" in document and "steps" in document


def read_invoke(document: Fields) -> Recipe:
    """How the picture of InvokeAI's metadata was made."""
    fields = {name: value for name, value in document.items() if value not in (None, [], "", {})}
    recipe = Recipe()
    recipe.positive = _text(fields.pop("positive_prompt", ""))
    recipe.negative = _text(fields.pop("negative_prompt", ""))
    _numbers(recipe, fields, cfg="cfg_scale")
    recipe.sample_by(_text(fields.pop("scheduler", "")))
    recipe.model, recipe.vae = _model(fields.pop("model", "")), _model(fields.pop("vae", ""))
    recipe.clip_skip = 1 + _whole(fields.pop("clip_skip", fields.pop("skipped_layers", 0)), 0)
    for entry in _list(fields.pop("loras", [])):
        one = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
        name = _model(one.get("model") or one.get("lora") or "")
        weight = _number(one.get("weight"), 1.0)
        if name:
            recipe.loras.append(Lora(name, weight, weight))
    _note(recipe, {name: v for name, v in fields.items() if name not in INVOKE_SILENT})
    return recipe


def is_swarm(document: Any) -> bool:
    """Whether a document is SwarmUI's metadata."""
    return isinstance(document, dict) and isinstance(document.get("sui_image_params"), dict)  # pyright: ignore[reportUnknownMemberType] - JSON


def read_swarm(document: Fields) -> Recipe:
    """How the picture of SwarmUI's metadata was made."""
    given: dict[str, Any] = document["sui_image_params"]
    fields = {name: value for name, value in given.items() if value not in (None, [], "", {})}
    recipe = Recipe()
    recipe.positive = with_tags(recipe, _text(fields.pop("prompt", "")), both=True)
    recipe.negative = with_tags(recipe, _text(fields.pop("negativeprompt", "")), both=False)
    _numbers(recipe, fields, cfg="cfgscale")
    recipe.sample_by(_text(fields.pop("sampler", "")), _text(fields.pop("scheduler", "")))
    recipe.model, recipe.vae = _text(fields.pop("model", "")), _text(fields.pop("vae", ""))
    recipe.vae = "" if recipe.vae.lower() in ("automatic", "none") else recipe.vae
    recipe.clip_skip = abs(_whole(fields.pop("clipstopatlayer", -1), -1))
    weights = _list(fields.pop("loraweights", []))
    for place, name in enumerate(_list(fields.pop("loras", []))):
        weight = _number(weights[place], 1.0) if place < len(weights) else 1.0
        recipe.loras.append(Lora(_text(name), weight, weight))
    scale = _number(fields.pop("refinerupscale", None), 1.0)
    control = fields.pop("refinercontrolpercentage", None)
    way = _text(fields.pop("refinerupscalemethod", "pixel-lanczos"))
    steps = _whole(fields.pop("refinersteps", 0), 0)
    if scale > 1.0:
        denoise = _number(control, 0.2)
        recipe.larger = Larger(scale=scale, steps=steps, denoise=denoise, upscaler=way)
    _note(recipe, {name: v for name, v in fields.items() if name not in SWARM_SILENT})
    return recipe


def _numbers(recipe: Recipe, fields: dict[str, Any], *, cfg: str) -> None:
    recipe.steps = max(1, _whole(fields.pop("steps", None), recipe.steps))
    recipe.cfg = _number(fields.pop(cfg, None), recipe.cfg)
    recipe.seed = _whole(fields.pop("seed", None), 0) % 2**64
    recipe.width = _whole(fields.pop("width", None), recipe.width)
    recipe.height = _whole(fields.pop("height", None), recipe.height)


def _note(recipe: Recipe, left: Fields) -> None:
    recipe.notes += [f"{name}: {str(value)[:200]} was left out." for name, value in left.items()]


def _model(value: Any) -> str:
    """The name of a model: a word, or an object in which it stands."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return _text(fields.get("name") or fields.get("model_name") or fields.get("path") or "")
    return _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    """A list; a text with commas is one."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return cast("list[Any]", value) if isinstance(value, list) else []


def _number(value: Any, otherwise: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return otherwise
    return number if abs(number) < 1e9 else otherwise


def _whole(value: Any, otherwise: int) -> int:
    if isinstance(value, int):
        return int(value)
    return int(_number(value, otherwise))
