"""A UNet of diffusers evaluated block by block, with patches between and within the blocks.

Blocks are numbered as in the original code of Latent Diffusion: input blocks are the first
convolution, each residual block with its attention, and each downsampling; output blocks are each
residual block with its attention and what upsampling follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

Kind = Literal["double", "single"]
"""Of a transformer's blocks: of picture and text, or of both as one. A UNet has one kind."""
Attend: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Attention of queries to keys and values, each [B, tokens, channels] before its projection."""


@dataclass(frozen=True, eq=False)
class BlockPosition:
    """Where in a network a patch acts.

    Attributes:
        part: which third of the network.
        block: number of the block in that part.
        shape: rows and columns of the network's input.
        timestep: of the first row.
        cross: whether attention goes to the text.
        module: the attention, of diffusers.
        layer: number of the transformer block, see `PatchedUNet.layers`.
    """

    part: Literal["input", "middle", "output"]
    block: int
    shape: tuple[int, int]
    timestep: float
    cross: bool = False
    module: Any = None
    layer: int = 0


class UNetPatch:
    """What changes the evaluation of a UNet; each method does nothing until it is overridden."""

    def active(self, sigma: float) -> bool:
        """Whether it acts at a level of noise."""
        return True

    def before_skip(self, h: Tensor, position: BlockPosition) -> Tensor:
        """What an input block gives, before the skip connection takes it."""
        return h

    def after_skip(self, h: Tensor, position: BlockPosition) -> Tensor:
        """What an input block gives to the next one."""
        return h

    def joined(self, h: Tensor, skip: Tensor, position: BlockPosition) -> tuple[Tensor, Tensor]:
        """What comes to an output block, and from its skip connection."""
        return h, skip

    def skips(self, layer: int, kind: Kind = "double") -> bool:
        """Whether a layer, see `PatchedUNet.layers`, or a transformer's block is left out."""
        return False

    def attention(
        self, attend: Attend, q: Tensor, k: Tensor, v: Tensor, position: BlockPosition
    ) -> Tensor:
        """The output of an attention."""
        return attend(q, k, v)

    def self_attended(self, x: Tensor, position: BlockPosition) -> Tensor:
        """Tokens [B, n, width] of the picture between their self-attention and the text."""
        return x


@dataclass(frozen=True, eq=False)
class PatchedUNet:
    """Called as the UNet itself, which it leaves as it is.

    Attributes:
        module: a UNet2DConditionModel.
        patches: act in their order.
    """

    module: Any
    patches: Sequence[UNetPatch]

    def __call__(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        *,
        added_cond_kwargs: Mapping[str, Tensor] | None = None,
        class_labels: Tensor | None = None,
        timestep_cond: Tensor | None = None,
        down_block_additional_residuals: Sequence[Tensor] | None = None,
        mid_block_additional_residual: Tensor | None = None,
        down_intrablock_additional_residuals: Sequence[Tensor] | None = None,
        return_dict: bool = False,
    ) -> tuple[Tensor]:
        """The output for a batch [B, C, rows, columns], as the UNet's own, in a tuple."""
        unet = self.module
        start = unet.get_time_embed(sample=sample, timestep=timestep)
        emb = self._embedding(
            sample,
            unet.time_embedding(start, timestep_cond),
            encoder_hidden_states,
            added_cond_kwargs,
            class_labels,
        )
        text = unet.process_encoder_hidden_states(
            encoder_hidden_states=encoder_hidden_states, added_cond_kwargs=added_cond_kwargs
        )
        shape = int(sample.shape[-2]), int(sample.shape[-1])
        position = BlockPosition("input", 0, shape, float(timestep.reshape(-1)[0]))
        inner = [*(down_intrablock_additional_residuals or ())]
        h, skips = self._down(unet.conv_in(sample), emb, text, position, inner)
        if down_block_additional_residuals is not None:
            skips = [
                s + more for s, more in zip(skips, down_block_additional_residuals, strict=True)
            ]
        h = self._middle(h, emb, text, replace(position, part="middle"))
        if inner and inner[0].shape == h.shape:
            h = h + inner[0]
        if mid_block_additional_residual is not None:
            h = h + mid_block_additional_residual
        h = self._up(h, skips, emb, text, replace(position, part="output"))
        if unet.conv_norm_out is not None:
            h = unet.conv_act(unet.conv_norm_out(h))
        return (unet.conv_out(h),)

    @cached_property
    def layers(self) -> Mapping[Any, int]:
        """The number of each transformer block, from 0 in the order of evaluation."""
        unet = self.module
        blocks = [*unet.down_blocks, unet.mid_block, *unet.up_blocks]
        transformers = [
            transformer
            for block in blocks
            if getattr(block, "has_cross_attention", False)
            for transformer in block.attentions
        ]
        found = [layer for each in transformers for layer in each.transformer_blocks]
        return {layer: number for number, layer in enumerate(found)}

    def _embedding(
        self,
        sample: Tensor,
        emb: Tensor,
        text: Tensor,
        added: Mapping[str, Tensor] | None,
        labels: Tensor | None,
    ) -> Tensor:
        unet = self.module
        classes = unet.get_class_embed(sample=sample, class_labels=labels)
        if classes is not None:
            concat = unet.config.class_embeddings_concat
            emb = torch.cat([emb, classes], dim=-1) if concat else emb + classes
        more = unet.get_aug_embed(emb=emb, encoder_hidden_states=text, added_cond_kwargs=added)
        emb = emb if more is None else emb + more
        return emb if unet.time_embed_act is None else unet.time_embed_act(emb)

    def _down(
        self, h: Tensor, emb: Tensor, text: Tensor, position: BlockPosition, inner: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """What the last level gives, and the skips; adapters' residuals are taken from `inner`.

        They are added after the last layer of a level with attention, after all of another one.
        """
        skips: list[Tensor] = []

        def given(h: Tensor) -> Tensor:
            at = replace(position, block=len(skips))
            for patch in self.patches:
                h = patch.before_skip(h, at)
            skips.append(h)
            for patch in self.patches:
                h = patch.after_skip(h, at)
            return h

        h = given(h)
        for block in self.module.down_blocks:
            attends = getattr(block, "has_cross_attention", False)
            downsamplers = [*(block.downsamplers or ())]
            for number, resnet in enumerate(block.resnets):
                h = resnet(h, emb)
                h = self._attentions(block, number, h, text, replace(position, block=len(skips)))
                last = number == len(block.resnets) - 1 and (attends or not downsamplers)
                h = given(h + inner.pop(0) if inner and last else h)
            for number, downsampler in enumerate(downsamplers):
                h = downsampler(h)
                last = number == len(downsamplers) - 1 and not attends
                h = given(h + inner.pop(0) if inner and last else h)
        return h, skips

    def _middle(self, h: Tensor, emb: Tensor, text: Tensor, position: BlockPosition) -> Tensor:
        block = self.module.mid_block
        if block is None:
            return h
        first, *others = block.resnets
        h = first(h, emb)
        for number, resnet in enumerate(others):
            h = resnet(self._attentions(block, number, h, text, position), emb)
        return h

    def _up(
        self, h: Tensor, skips: list[Tensor], emb: Tensor, text: Tensor, position: BlockPosition
    ) -> Tensor:
        count = len(skips)
        for block in self.module.up_blocks:
            for number, resnet in enumerate(block.resnets):
                skip = skips.pop()
                at = replace(position, block=count - len(skips) - 1)
                for patch in self.patches:
                    h, skip = patch.joined(h, skip, at)
                h = resnet(torch.cat([h, skip], dim=1), emb)
                h = self._attentions(block, number, h, text, at)
            for upsampler in block.upsamplers or ():
                size = skips[-1].shape[2:] if skips else None
                doubled = tuple(2 * side for side in h.shape[2:])
                h = upsampler(h, None if size in (None, doubled) else size)
        return h

    def _attentions(
        self, block: Any, number: int, h: Tensor, text: Tensor, position: BlockPosition
    ) -> Tensor:
        if not getattr(block, "has_cross_attention", False):
            return h
        transformer = block.attentions[number]
        rows, columns = h.shape[-2:]
        x = transformer.norm(h)
        linear = transformer.use_linear_projection
        if not linear:
            x = transformer.proj_in(x)
        x = x.permute(0, 2, 3, 1).flatten(1, 2)
        if linear:
            x = transformer.proj_in(x)
        for layer in transformer.transformer_blocks:
            at = replace(position, layer=self.layers[layer])
            if not any(patch.skips(at.layer) for patch in self.patches):
                x = self._layer(layer, x, text, at)
        if linear:
            x = transformer.proj_out(x)
        x = x.reshape(len(x), rows, columns, -1).permute(0, 3, 1, 2)
        return h + (x if linear else transformer.proj_out(x))

    def _layer(self, layer: Any, x: Tensor, text: Tensor, position: BlockPosition) -> Tensor:
        normed = layer.norm1(x)
        context = text if layer.only_cross_attention else normed
        at = replace(position, cross=layer.only_cross_attention, module=layer.attn1)
        x = x + self._attended(normed, context, at)
        for patch in self.patches:
            x = patch.self_attended(x, at)
        if layer.attn2 is not None:
            at = replace(position, cross=True, module=layer.attn2)
            x = x + self._attended(layer.norm2(x), text, at)
        return x + layer.ff(layer.norm3(x))

    def _attended(self, q: Tensor, context: Tensor, position: BlockPosition) -> Tensor:
        attend: Attend = partial(attended, position.module)
        for patch in self.patches:
            attend = _wrapped(patch, attend, position)
        return attend(q, context, context)


def _wrapped(patch: UNetPatch, attend: Attend, position: BlockPosition) -> Attend:
    return lambda q, k, v: patch.attention(attend, q, k, v, position)


def attended(module: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """What an attention of diffusers gives for queries, keys and values, not yet projected."""
    query, key, value = (split(module, tokens) for tokens in projections(module, q, k, v))
    found = scaled_dot_product_attention(query, key, value, scale=module.scale)
    return module.to_out[0](found.transpose(1, 2).flatten(2))


def projections(module: Any, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values as the attention's own layers project them."""
    return module.to_q(q), module.to_k(k), module.to_v(v)


def split(module: Any, tokens: Tensor) -> Tensor:
    """[B, tokens, channels] as [B, heads, tokens, channels of a head]."""
    return tokens.reshape(*tokens.shape[:2], module.heads, -1).transpose(1, 2)
