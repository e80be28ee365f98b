"""Networks of their published sizes, known by the names and shapes of their weights alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import (
    AutoencoderKLTemporalDecoder,
)
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from torch import nn

from nodes.models.families import original_names
from nodes.models.families.detection import looks
from nodes.models.families.registry import detected
from nodes.models.families.vae_layout import TEMPORAL, vae_layout
from nodes.models.networks.building import network_class

CLASSES: Any = (
    UNetSpatioTemporalConditionModel,
    UNet2DConditionModel,
    AutoencoderKLTemporalDecoder,
)
UPSCALER = {
    "in_channels": 7,
    "block_out_channels": [256, 512, 512, 1024],
    "down_block_types": ["DownBlock2D", *["CrossAttnDownBlock2D"] * 3],
    "up_block_types": [*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"],
    "only_cross_attention": [True, True, True, False],
    "attention_head_dim": 8,
    "cross_attention_dim": 1024,
    "num_class_embeds": 1000,
    "use_linear_projection": True,
}
UNETS: dict[str, tuple[int, dict[str, Any]]] = {
    "Stable Video Diffusion": (0, {}),
    "Stable Video 3D": (0, {"projection_class_embeddings_input_dim": 1280}),
    "Stable Diffusion 2.x upscaler": (1, UPSCALER),
}


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("family", UNETS)
@pytest.mark.parametrize("named", ["original", "diffusers"])
def test_a_unet_of_the_published_size_is_built_as_diffusers_builds_it(family: str, named: str):
    kind, settings = UNETS[family]
    with torch.device("meta"):
        theirs = CLASSES[kind](**settings)
    weights = shapes(theirs)
    names = original_names.unet(weights.keys())
    if named == "original":
        given = {f"model.diffusion_model.{names[name]}": shape for name, shape in weights.items()}
        assert looks(given).endswith(f"{family} model")
    else:
        given = weights
    found = detected(given)
    assert found is not None
    assert found[0].name == family
    net = found[1]
    with torch.device("meta"):
        ours = network_class(found[0].network).from_config(net.config)
    assert shapes(ours) == weights
    assert net.pieces.keys() == weights.keys()
    heads = [name for name in ("num_attention_heads", "attention_head_dim") if name in net.config]
    assert [str(ours.config[name]) for name in heads] == [
        str(theirs.config[name]).replace("(", "[").replace(")", "]") for name in heads
    ]


def test_an_autoencoder_of_the_published_size_is_built_as_diffusers_builds_it():
    with torch.device("meta"):
        theirs = CLASSES[2](
            block_out_channels=[128, 256, 512, 512],
            down_block_types=["DownEncoderBlock2D"] * 4,
            layers_per_block=2,
        )
    weights = shapes(theirs)
    names = original_names.vae(weights.keys())
    found = vae_layout({names[name]: shape for name, shape in weights.items()})
    assert found is not None
    assert found[0].keys() == weights.keys()
    assert found[1].pop("_class_name") == TEMPORAL
    with torch.device("meta"):
        assert shapes(CLASSES[2](**found[1])) == weights
