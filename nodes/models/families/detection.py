"""Which family of models is this file of? Told by names and shapes of its tensors, without torch.

A row is a family and signs that must all hold: ``name`` is there, ``name*`` begins a name,
``name[1]=768`` has that size, a ``!`` before turns it round. The first row that holds is the
answer, so finer ones stand first. Names are those of the original authors' files; denoisers may
have one of `PREFIXES` in front.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Row: TypeAlias = tuple[str, ...]
Shapes: TypeAlias = Mapping[str, Sequence[int]]

PREFIXES = ("", "model.diffusion_model.", "diffusion_model.", "net.", "model.model.", "model.")
SIGN = re.compile(r"(?P<absent>!?)(?P<name>[^*\[]+)(?P<more>\*?)(\[(?P<axis>\d)\]=(?P<size>\d+))?")

SD1 = "Stable Diffusion 1.x"
TO_TEXT = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"

DENOISERS: tuple[Row, ...] = (
    ("Stable Video 3D", "input_blocks.1.1.time_stack.*", "label_emb.0.0.weight[1]=1280"),
    ("Stable Video 3D", "input_blocks.1.1.time_stack.*", "label_emb.0.0.weight[1]=256"),
    ("Stable Video Diffusion", "input_blocks.1.1.time_stack.*"),
    ("SDXL", "label_emb.0.0.weight[1]=2816"),
    ("SDXL refiner", "label_emb.0.0.weight[1]=2560"),
    ("SDXL", "!input_blocks.1.1.*", "input_blocks.4.1.transformer_blocks.1.*"),
    ("Stable Diffusion 2.x upscaler", "label_emb.weight", "input_blocks.0.0.weight[1]=7"),
    ("depth-to-image (Stable Diffusion 2.x)", f"{TO_TEXT}[1]=1024", "input_blocks.0.0.weight[1]=5"),
    ("Lotus", "class_embedding.linear_1.weight[1]=4"),
    ("Stable Diffusion 2.x unCLIP", f"{TO_TEXT}[1]=1024", "label_emb.*"),
    ("Stable Diffusion 2.x", f"{TO_TEXT}[1]=1024"),
    ("Stable Diffusion 1.x inpainting", f"{TO_TEXT}[1]=768", "input_blocks.0.0.weight[1]=9"),
    ("InstructPix2Pix (Stable Diffusion 1.x)", f"{TO_TEXT}[1]=768",
     "input_blocks.0.0.weight[1]=8"),
    (SD1, f"{TO_TEXT}[1]=768"),
    ("Stable Diffusion 3", "joint_blocks.0.context_block.attn.qkv.weight"),
    ("Stable Diffusion 3", "joint_blocks.*"),
    ("Chroma", "distilled_guidance_layer.*"),
    ("FLUX.3", "early_stream_modulations.*"),
    ("FLUX.2 klein", "double_stream_modulation_img.lin.weight", "!guidance_in.*"),
    ("FLUX.2 dev", "double_stream_modulation_img.lin.weight"),
    ("HunyuanVideo 1.5", "txt_in.individual_token_refiner.*", "vision_in.proj.0.weight"),
    ("HunyuanVideo", "txt_in.individual_token_refiner.*", "vector_in.*"),
    ("HunyuanImage 2.1", "txt_in.individual_token_refiner.*"),
    ("FLUX.1 Fill", "double_blocks.*", "img_in.weight[1]=384"),
    ("FLUX.1 dev", "double_blocks.0.img_attn.norm.key_norm.scale", "guidance_in.*"),
    ("FLUX.1 schnell", "double_blocks.0.img_attn.norm.key_norm.scale", "img_in.weight"),
    ("FLUX", "double_blocks.*"),
    ("Z-Image", "cap_embedder.1.weight[0]=3840"),
    ("Z-Image", "cap_embedder.1.weight", "noise_refiner.0.attention.k_norm.weight[0]=128"),
    ("Lumina 2", "cap_embedder.1.weight"),
    ("Qwen-Image", "txt_norm.weight"),
    ("Qwen-Image 2.1", "txt_in.text_norm.weight"),
    ("Krea 2", "txtfusion.*"),
    ("AuraFlow", "double_layers.0.attn.w1q.weight"),
    ("Wan 2.1 VACE", "head.modulation", "vace_blocks.*"),
    ("Wan 2.2 5B", "head.modulation", "head.head.weight[0]=192"),
    ("Wan 2.1 image to video", "head.modulation", "img_emb.proj.0.bias"),
    ("Wan 2.2 image to video", "head.modulation", "patch_embedding.weight[1]=36"),
    ("Wan", "head.modulation"),
    ("LTX-2", "av_ca_a2v_gate_adaln_single.*"),
    ("PixArt", "adaln_single.*", "pos_embed.proj.*"),
    ("LTX-Video", "adaln_single.emb.timestep_embedder.linear_1.bias"),
    ("LTX-Video", "patchify_proj.weight"),
    ("Stable Audio", "transformer.rotary_pos_emb.inv_freq"),
    ("ACE-Step", "genre_embedder.weight"),
    ("Mochi", "blocks.0.attn.qkv_x.weight"),
    ("HiDream", "double_stream_blocks.*"),
    ("Stable Cascade stage C", "clip_txt_mapper.weight"),
    ("Stable Cascade stage B", "down_blocks.1.0.channelwise.0.weight"),
    ("Sana", "blocks.0.cross_attn.q_linear.weight"),
    ("Cosmos", "x_embedder.proj.1.weight"),
    ("MiniMax H3", "token_refiner.blocks.0.attn.qkv_proj.weight"),
)  # fmt: skip

OTHERS: tuple[Row, ...] = (
    ("SDXL", "conditioner.embedders.1.*"),
    ("SDXL refiner", "conditioner.embedders.0.*"),
    ("Stable Diffusion 2.x", "cond_stage_model.model.*"),
    ("LoRA (use LoraLoader)", "lora_unet_*"),
    ("LoRA (use LoraLoader)", "lora_te*"),
    ("ControlNet", "control_model.*"),
    ("ControlNet", "controlnet_cond_embedding.*"),
    ("GLIGEN model (use GLIGENLoader)", "position_net.*"),
    ("autoencoder (VAE) alone", "decoder.*"),
    ("autoencoder (VAE) alone", "first_stage_model.*", "!model.*"),
    ("text encoder alone", "text_model.*"),
    ("text encoder alone", "encoder.block.*"),
    ("text encoder alone", "model.embed_tokens.*"),
    ("diffusers network without its folder", "down_blocks.*"),
    ("diffusers network without its folder", "transformer_blocks.*"),
)

QWEN = "model.layers.0.self_attn.q_norm.weight"
T5 = "encoder.block.0.layer.1.DenseReluDense.wi_1.weight"
T5_ATTENTION = "encoder.block.1.layer.0.SelfAttention"
ENCODERS: tuple[Row, ...] = (
    ("CLIP-G", "text_model.encoder.layers.30.*"),
    ("CLIP-H", "text_model.encoder.layers.22.*"),
    ("CLIP-L", "text_model.embeddings.token_embedding.weight[1]=768"),
    ("CLIP-L", "embeddings.token_embedding.weight[1]=768"),
    ("umT5-XXL", f"{T5}[0]=10240", f"{T5_ATTENTION}.relative_attention_bias*"),
    ("T5-XXL", f"{T5}[0]=10240"),
    ("T5-XL", f"{T5}[0]=5120"),
    ("T5", "encoder.block.*"),
    ("Gemma 3", "model.layers.0.post_feedforward_layernorm.weight", QWEN),
    ("Gemma 2", "model.layers.0.post_feedforward_layernorm.weight"),
    ("Qwen2.5-VL 3B", "model.layers.0.self_attn.k_proj.bias[0]=256"),
    ("Qwen2.5-VL 7B", "model.layers.0.self_attn.k_proj.bias[0]=512"),
    ("Qwen3 4B", QWEN, "model.layers.0.input_layernorm.weight[0]=2560"),
    ("Qwen3 8B", QWEN, "model.layers.0.input_layernorm.weight[0]=4096"),
    ("Qwen3", QWEN),
    ("Mistral 3 24B", "model.layers.0.input_layernorm.weight[0]=5120"),
    ("Llama 3", "model.layers.0.input_layernorm.weight"),
)  # fmt: skip

VAES: tuple[Row, ...] = (
    ("Wan or Qwen-Image", "decoder.mid_block.resnets.0.norm1.gamma"),
    ("Stable Diffusion", "decoder.conv_in.weight[1]=4", "!decoder.conv_in.conv*"),
    ("Stable Diffusion 3 or FLUX.1", "decoder.conv_in.weight[1]=16", "!bn.*"),
    ("FLUX.2", "decoder.conv_in.weight[1]=32"),
    ("Wan or Qwen-Image", "decoder.middle.0.residual.0.gamma"),
    ("LTX-Video", "decoder.up_blocks.0.res_blocks.0.conv1.conv.weight"),
    ("LTX-Video", "decoder.last_scale_shift_table"),
    ("HunyuanVideo 1.5", "decoder.conv_in.conv.weight[1]=32"),
    ("HunyuanVideo", "decoder.conv_in.conv.weight"),
    ("Stable Audio", "decoder.layers.1.layers.0.beta"),
    ("Sana", "decoder.stages.1.op_list.0.main.conv.conv.bias"),
)
VAE_PREFIXES = ("", "first_stage_model.", "vae.")

# What adapters are written for; `_spelled` names of the original files, and of diffusers.
LORAS: tuple[Row, ...] = (
    ("SDXL", "lora_te2_*"),
    ("SDXL", "text_encoder_2.*"),
    ("SDXL", "lora_unet_input_blocks_4_1_transformer_blocks_1_*"),
    ("SDXL", "lora_unet_down_blocks_1_attentions_0_transformer_blocks_1_*"),
    ("SDXL", "unet.down_blocks.1.attentions.0.transformer_blocks.1.*"),
    ("FLUX", "lora_unet_double_blocks_*"),
    ("FLUX", "lora_unet_single_blocks_*"),
    ("FLUX", "transformer.single_transformer_blocks.*"),
    ("FLUX", "double_blocks.*"),
    ("Stable Diffusion 3", "lora_unet_joint_blocks_*"),
    ("Stable Diffusion 3", "joint_blocks.*"),
    ("Z-Image", "layers.0.attention.*"),
    ("Wan", "lora_unet_blocks_0_cross_attn_*"),
    ("Wan", "blocks.0.cross_attn.*"),
    ("LTX-Video", "transformer_blocks.0.attn1.to_q.lora_A.weight[1]=2048"),
    ("Qwen-Image", "transformer_blocks.0.img_mlp.*"),
    ("Qwen-Image", "lora_unet_transformer_blocks_0_img_mlp_*"),
    ("HiDream", "double_stream_blocks.*"),
)


def denoiser_family(shapes: Shapes) -> str | None:
    """The family of the denoiser in a file, None where none is known."""
    return _first(DENOISERS, shapes, PREFIXES)


def encoder_family(shapes: Shapes) -> str | None:
    """Which text encoder a file is, None where it is none that is known."""
    return _first(ENCODERS, shapes, ("", "cond_stage_model.transformer.", "transformer."))


def vae_family(shapes: Shapes) -> str | None:
    """Whose autoencoder a file is, None where it is none that is known."""
    return _first(VAES, shapes, VAE_PREFIXES)


def lora_family(shapes: Shapes) -> str | None:
    """Which family other than Stable Diffusion 1.x and 2.x a LoRA is for, None where unknown."""
    return _first(LORAS, shapes, PREFIXES)


def looks(shapes: Shapes) -> str:
    """What a file is, in words that go on after "it is"."""
    other = _first(OTHERS, shapes, ("",))
    if (family := denoiser_family(shapes)) is not None:
        return _with_article(f"{family} model")
    if other is not None:
        return _with_article(other if " " in other and "." not in other else f"{other} model")
    if (vae := vae_family(shapes)) is not None:
        return f"an autoencoder (VAE) of {vae}"
    if (encoder := encoder_family(shapes)) is not None:
        return f"a text encoder, {encoder}"
    first = ", ".join(sorted(shapes)[:3])
    return f"something unknown ({len(shapes)} tensors: {first}, ...)"


def _first(rows: Sequence[Row], shapes: Shapes, prefixes: Sequence[str]) -> str | None:
    names = sorted(shapes)
    used = [prefix for prefix in prefixes if _begins(names, prefix)]
    for family, *signs in rows:
        if any(all(_holds(sign, prefix, shapes, names) for sign in signs) for prefix in used):
            return family
    return None


def _holds(sign: str, prefix: str, shapes: Shapes, names: Sequence[str]) -> bool:
    read = SIGN.fullmatch(sign)
    assert read is not None, sign
    name = prefix + read["name"]
    found = _begins(names, name) if read["more"] else name in shapes
    if found and read["axis"]:
        shape, axis = shapes[name], int(read["axis"])
        found = axis < len(shape) and shape[axis] == int(read["size"])
    return found is not bool(read["absent"])


def _begins(names: Sequence[str], start: str) -> bool:
    """Whether one of some sorted names begins so."""
    place = bisect_left(names, start)
    return place < len(names) and names[place].startswith(start)


def _with_article(words: str) -> str:
    return f"{'an' if re.match('SDXL|LTX|[aeiouAEI]', words) else 'a'} {words}"
