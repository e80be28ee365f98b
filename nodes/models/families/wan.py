"""Wan 2.1 and 2.2: videos by a text, by pictures at their ends, and by a video that controls.

https://github.com/Wan-Video (Apache-2.0). The text is that of UMT5-XXL. Networks for pictures are
given latents and a mask beside the noisy ones; those of 2.1 also what CLIP-H's vision encoder sees.
Those of 2.2 with 14 billion weights come in pairs, one for strong and one for weak noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nodes.models.families import transformer
from nodes.models.families.family import Facts, Family, Found, Net, Shapes
from nodes.models.families.renaming import Rule, count, renamed, shapes_of
from nodes.models.files.pieces import whole
from nodes.models.latents.formats import LatentFormat
from nodes.models.latents.video_formats import WAN as FORMAT
from nodes.models.latents.video_formats import WAN22 as FORMAT_5B

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Input, Inputs, InputsRequest
    from nodes.models.sampling.sigma_space import SigmaSpace

NETWORK = "nodes.models.networks.wan:WanTransformer"
HEAD, PATCH, SHIFT = 128, 2, 8.0
MASKS = 4
"""Channels of the mask beside the latents of a picture: one for each frame of a latent one."""
EMBED = "condition_embedder"
OTHERS = (
    "vace_blocks.",
    "motion_encoder.",
    "control_adapter.",
    "casual_audio_encoder.",
    "ref_conv.",
)
"""Begin names in files of networks that are built otherwise: VACE, Animate, camera, sound."""


def _attention(theirs: str, ours: str) -> dict[str, Rule]:
    names = {
        "q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0", "norm_q": "norm_q",
        "norm_k": "norm_k", "k_img": "add_k_proj", "v_img": "add_v_proj",
        "norm_k_img": "norm_added_k",
    }  # fmt: skip
    return {f"blocks.{{n}}.{theirs}.{a}": f"blocks.{{n}}.{ours}.{b}" for a, b in names.items()}


RULES: Mapping[str, Rule] = {
    "patch_embedding": "patch_embedding",
    "text_embedding.0": f"{EMBED}.text_embedder.linear_1",
    "text_embedding.2": f"{EMBED}.text_embedder.linear_2",
    "time_embedding.0": f"{EMBED}.time_embedder.linear_1",
    "time_embedding.2": f"{EMBED}.time_embedder.linear_2",
    "time_projection.1": f"{EMBED}.time_proj",
    "img_emb.proj.0": f"{EMBED}.image_embedder.norm1",
    "img_emb.proj.1": f"{EMBED}.image_embedder.ff.net.0.proj",
    "img_emb.proj.3": f"{EMBED}.image_embedder.ff.net.2",
    "img_emb.proj.4": f"{EMBED}.image_embedder.norm2",
    "img_emb.emb_pos": f"{EMBED}.image_embedder.pos_embed",
    "head.modulation": "scale_shift_table",
    "head.head": "proj_out",
    "blocks.{n}.modulation": "blocks.{n}.scale_shift_table",
    "blocks.{n}.norm3": "blocks.{n}.norm2",
    "blocks.{n}.ffn.0": "blocks.{n}.ffn.net.0.proj",
    "blocks.{n}.ffn.2": "blocks.{n}.ffn.net.2",
    **_attention("self_attn", "attn1"),
    **_attention("cross_attn", "attn2"),
}
"""Layers in the original, and in diffusers."""


def detecting(channels: int) -> Callable[[Shapes], Net | None]:
    """What recognises networks whose latents have so many channels."""

    def detect(shapes: Shapes) -> Net | None:
        published = f"{EMBED}.time_proj.weight" in shapes
        if any(name.startswith(OTHERS) for name in shapes):
            return None
        pieces = whole({name: name for name in shapes}) if published else renamed(shapes, RULES)
        config = _config(shapes_of(pieces, shapes))
        if config is None or config["out_channels"] != channels:
            return None
        return Net(pieces, config)

    return detect


def _config(found: Shapes) -> dict[str, Any] | None:
    picture, out, text, inner, time = (
        found.get(f"{name}.weight")
        for name in (
            "patch_embedding", "proj_out", f"{EMBED}.text_embedder.linear_1",
            "blocks.0.ffn.net.0.proj", f"{EMBED}.time_embedder.linear_1",
        )
    )  # fmt: skip
    if picture is None or out is None or text is None or inner is None or time is None:
        return None
    if len(picture) != 5 or picture[0] % HEAD:
        return None
    seen = found.get(f"{EMBED}.image_embedder.norm1.weight")
    places = found.get(f"{EMBED}.image_embedder.pos_embed")
    return {
        "patch_size": tuple(picture[2:]),
        "num_attention_heads": picture[0] // HEAD,
        "attention_head_dim": HEAD,
        "in_channels": picture[1],
        "out_channels": out[0] // (picture[2] * picture[3] * picture[4]),
        "text_dim": text[1],
        "freq_dim": time[1],
        "ffn_dim": inner[0],
        "num_layers": count(found, "blocks"),
        "cross_attn_norm": "blocks.0.norm2.weight" in found,
        "image_dim": None if seen is None else seen[0],
        "added_kv_proj_dim": None if seen is None else picture[0],
        "pos_embed_seq_len": None if places is None else places[1],
    }


def sampling(found: Found) -> tuple[SigmaSpace, LatentFormat]:
    """A flow whose timestep is a thousand times sigma."""
    from nodes.models.sampling.flows import Flow

    return Flow(SHIFT), found.latent


def inputs(request: InputsRequest, facts: Facts) -> Inputs:
    """The text, and of networks for pictures their latents and what was seen in them."""
    from nodes.models.conditioning.inputs import Collation, Input

    config = facts.config
    found = {"text": transformer.text(request, facts, int(config["text_dim"]))}
    more = int(config["in_channels"]) - int(config["out_channels"])
    if more > 0:
        found["concat"] = Input(_beside(request, facts, more), Collation.LIKE_X)
    if facts.latent.channels == FORMAT_5B.channels and request.mask is not None:
        found["changes"] = Input(request.mask, Collation.LIKE_X)
    return {**found, **(_seen(request, config["pos_embed_seq_len"]) if config["image_dim"] else {})}


def _seen(request: InputsRequest, both: int | None) -> dict[str, Input]:
    """What a vision encoder saw in one picture, or in the first and the last: its tokens.

    `both` is how many those of two are, where the network wants two: one picture counts twice.
    """
    from nodes.models.conditioning.inputs import Collation, Input

    output = request.options.get("clip_vision_output")
    if output is None:
        return {}
    seen: Tensor = output.penultimate_hidden_states[:1]
    if both and seen.shape[1] < both:
        seen = seen.repeat(1, 2, 1)
    return {"seen": Input(seen, Collation.EACH)}


def _beside(request: InputsRequest, facts: Facts, channels: int) -> Tensor:
    """Which frames are given, [1 or B, 4, T, h, w], and their latents; zeros where none are."""
    import torch

    from nodes.models.conditioning.inputs import repeated

    x = request.x
    latents: Tensor | None = request.options.get("concat_latent_image")
    mask: Tensor | None = request.options.get("concat_mask")
    width = channels - MASKS if channels % facts.latent.channels else channels
    parts: list[Tensor] = []
    if latents is None:
        picture = x.new_zeros(1, width, *x.shape[2:])
    else:
        # Latents of several videos, one below the other in channels.
        videos = latents.float().chunk(latents.shape[1] // facts.latent.channels, dim=1)
        picture = torch.cat([fitted(facts.latent.process_in(video), x) for video in videos], dim=1)
    if width < channels:
        known = torch.zeros_like(x[:1, :1]) if mask is None else 1 - fitted(mask.float(), x)
        parts.append(known if known.shape[1] == MASKS else known[:, :1].repeat(1, MASKS, 1, 1, 1))
    parts.append(picture)
    most = max(len(part) for part in parts)
    return torch.cat([repeated(part, most) for part in parts], dim=1)


def fitted(latents: Tensor, x: Tensor) -> Tensor:
    """Latents of a video at the size of `x`, frames that it has more cut off or left empty."""
    from torch.nn.functional import interpolate, pad

    frames, sides = x.shape[2], x.shape[3:]
    latents = latents.to(x)
    if latents.shape[3:] != sides:
        flat = latents.movedim(2, 1).flatten(0, 1)
        flat = interpolate(flat, size=sides, mode="bilinear")
        latents = flat.reshape(len(latents), -1, *flat.shape[1:]).movedim(1, 2)
    return pad(latents[:, :, :frames], (0, 0, 0, 0, 0, max(0, frames - latents.shape[2])))


def call(module: Any, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """The velocity of latents [B, C, T, h, w], as `Family.call`."""
    import torch

    rows, columns = x.shape[-2:]
    if (more := inputs.get("concat")) is not None:
        x = torch.cat([x, more.to(x)], dim=1)
    if (changes := inputs.get("changes")) is not None:
        # A frame that is given is one without noise.
        times = timestep[:, None] * changes.to(timestep).mean(dim=(1, 3, 4))
        tokens = -(-rows // PATCH) * -(-columns // PATCH)
        timestep = times.repeat_interleave(tokens, dim=1)
    made = module(
        transformer.padded(x, PATCH),
        timestep,
        inputs["text"].to(x),
        encoder_hidden_states_image=inputs["seen"].to(x) if "seen" in inputs else None,
        return_dict=False,
    )[0]
    return made[..., :rows, :columns]


WAN = Family(
    "Wan",
    detecting(FORMAT.channels),
    NETWORK,
    FORMAT,
    (),
    sampling,
    inputs,
    call,
)
WAN22_5B = Family(
    "Wan 2.2 5B",
    detecting(FORMAT_5B.channels),
    NETWORK,
    FORMAT_5B,
    (),
    sampling,
    inputs,
    call,
    keeps_clean=True,
)
