"""How other programs say a picture is made, and the graph that makes it here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct
from msgspec import json as msgspec_json


class Names(Struct, frozen=True):
    """Names of other programs, in lower case, and what they are called here.

    Attributes:
        automatic: the scheduler that goes with a sampler of ours where none is named.
        without_meaning: fields that change nothing here, or nothing that could be mapped.
    """

    samplers: dict[str, str]
    schedulers: dict[str, str]
    automatic: dict[str, str]
    latent_upscalers: dict[str, str]
    picture_upscalers: dict[str, str]
    without_meaning: frozenset[str]


NAMES = msgspec_json.decode(
    (files("engine.graph") / "other_programs.json").read_bytes(), type=Names
)

ENDINGS = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".sft", ".gguf"})
FileNames = Callable[[str, str], list[str]]
"""The names of files that an input of a type of node offers."""


@dataclass
class Lora:
    """A LoRA and how strongly the model and the text encoder are changed by it."""

    name: str
    model: float = 1.0
    clip: float = 1.0


@dataclass
class Larger:
    """A second pass at another size: `scale` times as large, or `width` by `height`."""

    scale: float = 2.0
    width: int = 0
    height: int = 0
    steps: int = 0
    denoise: float = 0.7
    upscaler: str = "latent"


@dataclass
class Recipe:
    """How a picture was made; what is not said is as in a new graph.

    Attributes:
        sampler: of ours.
        notes: what could not be taken over, in sentences.
    """

    positive: str = ""
    negative: str = ""
    steps: int = 20
    cfg: float = 7.0
    seed: int = 0
    width: int = 512
    height: int = 512
    sampler: str = "euler"
    scheduler: str = "normal"
    model: str = ""
    vae: str = ""
    clip_skip: int = 1
    loras: list[Lora] = field(default_factory=list[Lora])
    larger: Larger | None = None
    notes: list[str] = field(default_factory=list[str])

    def sample_by(self, sampler: str, scheduler: str = "") -> None:
        """Take the sampler and the scheduler by the names of another program.

        Older ones name both in one: "DPM++ 2M Karras", "dpmpp_2m_k".
        """
        name, schedule = sampler.strip().lower(), scheduler.strip().lower().replace("_", " ")
        if name.endswith("_k") and not schedule:
            name, schedule = name.removesuffix("_k"), "karras"
        first, _, last = name.rpartition(" ")
        if not schedule and name not in NAMES.samplers and last in NAMES.schedulers:
            name, schedule = first, last
        ours = NAMES.samplers.get(name, name if name in NAMES.samplers.values() else "")
        if name and not ours:
            self.notes.append(f"The sampler {sampler!r} is not known here; euler stands in for it.")
        self.sampler = ours or "euler"
        if schedule in ("", "automatic"):
            self.scheduler = NAMES.automatic.get(self.sampler, "normal")
        elif schedule in NAMES.schedulers:
            self.scheduler = NAMES.schedulers[schedule]
        else:
            self.notes.append(
                f"The schedule {scheduler!r} is not known here; normal stands for it."
            )


def to_prompt(recipe: Recipe, offered: FileNames) -> dict[str, Any]:
    """The graph of a recipe, as a prompt in API format.

    Args:
        recipe: how the picture was made.
        offered: lists the models that exist: names without folder or ending find theirs.
    """
    return _PromptBuilder(recipe, offered).made()


def matching(name: str, there: list[str], ending: str = ".safetensors") -> str:
    """The file that a name means, which may lack folder and ending; else the name itself."""
    wanted = PurePosixPath(name.replace("\\", "/").casefold())
    paths = [(one, PurePosixPath(one.replace("\\", "/").casefold())) for one in there]
    for one, path in paths:
        if path == wanted:
            return one
    for one, path in paths:
        if wanted.name in (path.name, path.stem) or wanted.stem == path.stem != wanted.name:
            return one
    return name if not name or wanted.suffix in ENDINGS else name + ending


class _PromptBuilder:
    """Builds the nodes of one recipe."""

    def __init__(self, recipe: Recipe, offered: FileNames) -> None:
        self.recipe = recipe
        self.offered = offered
        self.nodes: dict[str, Any] = {}

    def add(self, type: str, title: str = "", **inputs: Any) -> str:
        """A node; returns its id."""
        id = str(len(self.nodes) + 1)
        self.nodes[id] = {"class_type": type, "inputs": inputs}
        if title:
            self.nodes[id]["_meta"] = {"title": title}
        return id

    def made(self) -> dict[str, Any]:
        """The whole graph."""
        recipe = self.recipe
        model, clip, vae = self._models()
        positive = self._texts(recipe.positive, clip, "Positive prompt")
        negative = self._texts(recipe.negative, clip, "Negative prompt")
        size: dict[str, Any] = {"width": recipe.width, "height": recipe.height, "batch_size": 1}
        latent = [self.add("EmptyLatentImage", **size), 0]
        latent = self._sampled(model, positive, negative, latent, recipe.steps, 1.0)
        if recipe.larger is not None:
            latent = self._enlarged(recipe.larger, latent, vae)
            steps = recipe.larger.steps or recipe.steps
            denoise = recipe.larger.denoise
            latent = self._sampled(model, positive, negative, latent, steps, denoise)
        image = self.add("VAEDecode", samples=latent, vae=vae)
        self.add("SaveImage", images=[image, 0], filename_prefix="ComfyUI")
        return self.nodes

    def _models(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Model, text encoder and VAE, with all that is laid over them."""
        recipe = self.recipe
        there = self.offered("CheckpointLoaderSimple", "ckpt_name")
        name = matching(recipe.model, there) or next(iter(there), "")
        loader = self.add("CheckpointLoaderSimple", ckpt_name=name)
        model, clip, vae = [loader, 0], [loader, 1], [loader, 2]
        for lora in recipe.loras:
            loras = self.offered("LoraLoader", "lora_name")
            laid = self.add(
                "LoraLoader",
                model=model,
                clip=clip,
                lora_name=matching(lora.name, loras),
                strength_model=lora.model,
                strength_clip=lora.clip,
            )
            model, clip = [laid, 0], [laid, 1]
        if recipe.clip_skip > 1:
            skip = self.add("CLIPSetLastLayer", clip=clip, stop_at_clip_layer=-recipe.clip_skip)
            clip = [skip, 0]
        if recipe.vae:
            vae_name = matching(recipe.vae, self.offered("VAELoader", "vae_name"))
            vae = [self.add("VAELoader", vae_name=vae_name), 0]
        return model, clip, vae

    def _texts(self, text: str, clip: list[Any], title: str) -> list[Any]:
        """One encoder for each part between the words BREAK, joined one after another."""
        parts = [part.strip() for part in text.split("BREAK")]
        parts = [part for part in parts if part] or [""]
        found = [self.add("CLIPTextEncode", title, text=parts[0], clip=clip), 0]
        for part in parts[1:]:
            other = self.add("CLIPTextEncode", title, text=part, clip=clip)
            both: dict[str, Any] = {"conditioning_to": found, "conditioning_from": [other, 0]}
            found = [self.add("ConditioningConcat", **both), 0]
        return found

    def _sampled(
        self,
        model: list[Any],
        positive: list[Any],
        negative: list[Any],
        latent: list[Any],
        steps: int,
        denoise: float,
    ) -> list[Any]:
        recipe = self.recipe
        sampler = self.add(
            "KSampler",
            model=model,
            positive=positive,
            negative=negative,
            latent_image=latent,
            seed=recipe.seed,
            steps=steps,
            cfg=recipe.cfg,
            sampler_name=recipe.sampler,
            scheduler=recipe.scheduler,
            denoise=denoise,
        )
        return [sampler, 0]

    def _enlarged(self, larger: Larger, latent: list[Any], vae: list[Any]) -> list[Any]:
        """The latent of the second pass: enlarged itself, or as a picture, by a model or not."""
        recipe, name = self.recipe, larger.upscaler.strip().lower()
        width = larger.width or round(recipe.width * larger.scale)
        height = larger.height or round(recipe.height * larger.scale)
        size: dict[str, Any] = {"width": width // 8 * 8, "height": height // 8 * 8}
        size["crop"] = "disabled"
        way = NAMES.latent_upscalers.get(name)
        if way is not None:
            return [self.add("LatentUpscale", samples=latent, upscale_method=way, **size), 0]
        image = [self.add("VAEDecode", samples=latent, vae=vae), 0]
        way = NAMES.picture_upscalers.get(name)
        if way is None:
            there = self.offered("UpscaleModelLoader", "model_name")
            file = matching(larger.upscaler.strip().removeprefix("model-"), there, ".pth")
            loader = self.add("UpscaleModelLoader", model_name=file)
            image = [self.add("ImageUpscaleWithModel", upscale_model=[loader, 0], image=image), 0]
        scaled = self.add("ImageScale", image=image, upscale_method=way or "lanczos", **size)
        return [self.add("VAEEncode", pixels=[scaled, 0], vae=vae), 0]
