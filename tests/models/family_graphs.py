"""Evaluates the graphs of reference/families node by node, with nothing beside torch and nodes.

Their nodes RefConditioning, RefScaleLatent and RefSigmas give what a seed gives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nodes import conditioning, model_sampling, schedules
from nodes.models.files.checkpoints import read_denoiser
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling import guiders
from nodes.models.sampling.denoise import completed, denoise
from nodes.models.sampling.samplers import DISCARD_PENULTIMATE
from nodes.models.sampling.schedules import sigmas

EMPTY = {
    "EmptyLatentImage": (4, 8),
    "EmptySD3LatentImage": (16, 8),
    "EmptyFlux2LatentImage": (128, 16),
    "EmptyHunyuanLatentVideo": (16, 8, 4),
}
"""Nodes for blank latents: channels, pixels along a side of a cell, and frames of one in time."""


def latent_of(graph: Mapping[str, Any], models: Path) -> Tensor:
    """What the graph's SaveLatent keeps, float32; models are read from below `models`."""
    done: dict[str, Any] = {}

    def value(given: Any) -> Any:
        return output(given[0]) if hasattr(given, "append") else given

    def output(number: str) -> Any:
        if number not in done:
            kind, given = graph[number]["class_type"], graph[number]["inputs"]
            done[number] = _node(kind, {name: value(each) for name, each in given.items()}, models)
        return done[number]

    (saved,) = (n for n, node in graph.items() if node["class_type"] == "SaveLatent")
    return output(saved)


def _node(kind: str, given: dict[str, Any], models: Path) -> Any:
    if kind in PLAIN:
        return PLAIN[kind](**given)
    if kind in EMPTY:
        channels, side, *steps = EMPTY[kind]
        frames = [(given["length"] - 1) // step + 1 for step in steps]
        size = *frames, given["height"] // side, given["width"] // side
        return {"samples": torch.zeros(given["batch_size"], channels, *size)}
    if kind == "UNETLoader":
        path = models / "diffusion_models" / given["unet_name"]
        return Denoiser.of(read_denoiser(path))
    return OWN[kind](given)


def _conditioning(given: Mapping[str, Any]) -> Any:
    generator = torch.Generator().manual_seed(given["seed"])
    text = torch.randn([1, given["tokens"], given["dim"]], generator=generator) * given["scale"]
    options: dict[str, Any] = {}
    if given["pooled_dim"]:
        options["pooled_output"] = torch.randn([1, given["pooled_dim"]], generator=generator)
    if given["valid"] >= 0:
        mask = (torch.arange(given["tokens"]) < given["valid"]).to(torch.int64)[None]
        options["attention_mask"] = mask
        text = text * mask[..., None] if given["zero_masked"] else text
    if given["guidance"] >= 0:
        options["guidance"] = given["guidance"]
    extra: dict[str, Any] = json.loads(given["extra_json"] or "{}")
    for name, spec in extra.items():
        drawn: list[int] | None = spec.get("randn") if hasattr(spec, "get") else None
        options[name] = spec if drawn is None else torch.randn(drawn, generator=generator)
    return [(text, options)]


def _scaled(given: Mapping[str, Any]) -> Any:
    shape = [int(side) for side in given["shape"].split(",")]
    generator = torch.Generator().manual_seed(given["seed"])
    return {"samples": torch.randn(shape, generator=generator) * given["scale"]}


def _k_sampler(given: Mapping[str, Any]) -> Any:
    name = given["sampler_name"]
    levels = sigmas(
        given["model"].space,
        given["scheduler"],
        given["steps"],
        given["denoise"],
        discard_penultimate=name in DISCARD_PENULTIMATE,
    )
    guider = guiders.cfg_guider(given["model"], given["positive"], given["negative"], given["cfg"])
    return _sampled(guider, given["latent_image"], name, levels, given["seed"])


def _sampler_custom(given: Mapping[str, Any]) -> Any:
    return _sampled(
        given["guider"], given["latent_image"], given["sampler"], given["sigmas"], given["noise"]
    )


def _sampled(guider: Any, latent: Any, sampler: Any, levels: Tensor, seed: int) -> Any:
    guider.model.ready()
    walk = denoise(guider, latent["samples"], sampler=sampler, sigmas=levels, seed=seed)
    return {"samples": completed(walk)}


def _levels(given: Mapping[str, Any]) -> Tensor:
    return torch.tensor([float(part) for part in given["text"].replace(",", " ").split()])


def _guider(given: Mapping[str, Any]) -> Any:
    return guiders.cfg_guider(given["model"], given["conditioning"])


def _cfg_guider(given: Mapping[str, Any]) -> Any:
    return guiders.cfg_guider(given["model"], given["positive"], given["negative"], given["cfg"])


OWN: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "RefConditioning": _conditioning,
    "RefScaleLatent": _scaled,
    "RefSigmas": _levels,
    "RandomNoise": lambda given: given["noise_seed"],
    "KSamplerSelect": lambda given: given["sampler_name"],
    "BasicGuider": _guider,
    "CFGGuider": _cfg_guider,
    "KSampler": _k_sampler,
    "SamplerCustomAdvanced": _sampler_custom,
    "SaveLatent": lambda given: given["samples"]["samples"],
}
PLAIN: Mapping[str, Callable[..., Any]] = {
    "ModelSamplingFlux": model_sampling.flux_sampling,
    "ModelSamplingSD3": model_sampling.sd3_sampling,
    "ModelSamplingAuraFlow": model_sampling.aura_flow_sampling,
    "FluxGuidance": conditioning.flux_guidance,
    "ReferenceLatent": conditioning.reference_latent,
    "FluxKontextMultiReferenceLatentMethod": conditioning.reference_method,
    "ConditioningZeroOut": conditioning.zero_out,
    "Flux2Scheduler": schedules.flux2_schedule,
}
"""Nodes that are functions of their inputs."""
