"""Patches of a UNet, against plain computations on tiny ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from nodes.models.files.torch_files import TorchFileError
from nodes.models.latents.latents import resized
from nodes.models.networks.hypernetworks import read_hypernetwork
from nodes.models.networks.patched_unet import BlockPosition, PatchedUNet, UNetPatch, attended
from nodes.models.networks.unet_patches import (
    Downscale,
    FreeU,
    Hypernetwork,
    HyperTile,
    PerturbedAttention,
    RecordedAttention,
    TokenMerging,
)

WIDTH = 24


def tiny_unet(**config: Any) -> Any:
    kind: Any = UNet2DConditionModel
    return kind(
        **{
            "block_out_channels": (32, 64, 128),
            "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            "layers_per_block": 2,
            "cross_attention_dim": WIDTH,
            "attention_head_dim": 4,
            "norm_num_groups": 8,
            **config,
        }
    ).eval()


@pytest.fixture(scope="module")
def unet() -> Any:
    return tiny_unet()


def asked(unet: Any, *patches: UNetPatch, x: Tensor | None = None, **more: Any) -> Tensor:
    dice = torch.Generator().manual_seed(1)
    text = torch.randn(2, 7, WIDTH, generator=dice)
    x = torch.randn(2, 4, 16, 24, generator=dice) if x is None else x
    network = PatchedUNet(unet, patches) if patches else unet
    with torch.no_grad():
        return network(x, torch.tensor([300, 40]), text, return_dict=False, **more)[0]


def same(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, atol=1e-5)


class Nothing(UNetPatch):
    pass


SDXL: dict[str, Any] = {
    "transformer_layers_per_block": (1, 2, 1), "use_linear_projection": True,
    "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + 10,
}  # fmt: skip


@pytest.mark.parametrize("sides", [(16, 24), (15, 22)])
@pytest.mark.parametrize("config", [{}, SDXL, {"layers_per_block": 1}])
def test_a_patched_unet_without_patches_is_the_unet(config: dict[str, Any], sides: tuple[int, int]):
    unet = tiny_unet(**config)
    more: dict[str, Any] = {}
    if "addition_embed_type" in config:
        more["added_cond_kwargs"] = {"text_embeds": torch.ones(2, 10), "time_ids": torch.ones(2, 6)}
    x = torch.randn(2, 4, *sides)
    assert same(asked(unet, Nothing(), x=x, **more), asked(unet, x=x, **more))


def test_residuals_of_a_control_net_arrive(unet: Any):
    shapes: list[torch.Size] = []

    class Seeing(UNetPatch):
        def before_skip(self, h: Tensor, position: BlockPosition) -> Tensor:
            shapes.append(h.shape)
            return h

    asked(unet, Seeing())
    down = tuple(torch.full(shape, 0.1) for shape in shapes)
    more: dict[str, Any] = {
        "down_block_additional_residuals": down,
        "mid_block_additional_residual": torch.full((2, 128, 4, 6), 0.2),
    }
    assert same(asked(unet, Nothing(), **more), asked(unet, **more))
    assert not same(asked(unet, **more), asked(unet))


class Joined(UNetPatch):
    """Keeps what comes to each output block."""

    def __init__(self) -> None:
        self.seen: list[tuple[Tensor, Tensor]] = []

    def joined(self, h: Tensor, skip: Tensor, position: BlockPosition) -> tuple[Tensor, Tensor]:
        assert position.block == len(self.seen)
        self.seen.append((h, skip))
        return h, skip


def frequencies_scaled(skip: Tensor, scale: float) -> Tensor:
    """The lowest frequencies, by sums over waves."""
    rows, columns = skip.shape[-2:]
    found = skip.clone()
    for u in (-1, 0):
        for v in (-1, 0):
            angle = torch.arange(rows)[:, None] * u / rows + torch.arange(columns) * v / columns
            wave = torch.exp(2j * torch.pi * angle)
            part = (skip * wave.conj()).sum(dim=(-2, -1), keepdim=True) / (rows * columns) * wave
            found = found + (scale - 1) * part.real
    return found


@pytest.mark.parametrize("by_mean", [False, True])
def test_freeu_scales_half_of_the_backbone_and_low_frequencies_of_skips(unet: Any, by_mean: bool):
    free = FreeU(32, (1.3, 1.4), (0.9, 0.2), by_mean)
    before, after = Joined(), Joined()
    asked(unet, before, free, after)
    changed = 0
    for (h, skip), (found, found_skip) in zip(before.seen, after.seen, strict=True):
        scales = {128: (1.3, 0.9), 64: (1.4, 0.2)}.get(h.shape[1])
        if scales is None:
            assert same(found, h)
            assert same(found_skip, skip)
            continue
        changed += 1
        strength, low = scales
        by: Tensor | float = strength
        if by_mean:
            mean = h.mean(1, keepdim=True)
            least, most = mean.amin((2, 3), keepdim=True), mean.amax((2, 3), keepdim=True)
            by = (mean - least) / (most - least) * (strength - 1) + 1
        half = h.shape[1] // 2
        assert same(found, torch.cat([h[:, :half] * by, h[:, half:]], 1))
        assert torch.allclose(found_skip, frequencies_scaled(skip, low), atol=1e-4)
    assert changed == 7


@pytest.mark.parametrize("after", [True, False])
def test_a_deep_shrink_is_small_from_its_block_on(unet: Any, after: bool):
    seen: list[tuple[int, int]] = []
    joined: list[int] = []

    class Seeing(UNetPatch):
        def before_skip(self, h: Tensor, position: BlockPosition) -> Tensor:
            seen.append((position.block, int(h.shape[-1])))
            return h

        def joined(self, h: Tensor, skip: Tensor, position: BlockPosition) -> tuple[Tensor, Tensor]:
            assert h.shape[2:] == skip.shape[2:]
            joined.append(int(h.shape[-1]))
            return h, skip

    shrink = Downscale(2, 2.0, 10.0, 1.0, after, "bicubic", "bilinear")
    found = asked(unet, shrink, Seeing())
    assert found.shape == (2, 4, 16, 24)
    second = 24 if after else 12
    assert [width for _, width in seen] == [24, 24, second, 6, 6, 6, 3, 3, 3]
    assert joined == [3, 3, 3, 6, 6, 6, second, 24, 24]
    assert shrink.active(5.0)
    assert not shrink.active(0.5)
    assert not shrink.active(11.0)


def test_an_attention_of_tiles_is_that_of_each_tile(unet: Any):
    module = unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1
    x = torch.randn(2, 8 * 12, 32)
    position = BlockPosition("input", 1, (8, 12), 300.0, False, module)
    tile = HyperTile(32, 1, 0, False)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attended(module, q, k, v)

    found = tile.attention(attend, x, x, x, position).reshape(2, 8, 12, 32)
    pixels = x.reshape(2, 8, 12, 32)
    for row in (0, 4):
        for column in (0, 4, 8):
            cut = pixels[:, row : row + 4, column : column + 4].flatten(1, 2)
            expected = attend(cut, cut, cut).reshape(2, 4, 4, 32)
            assert same(found[:, row : row + 4, column : column + 4], expected)
    deeper = BlockPosition("input", 4, (16, 24), 300.0, False, module)
    assert same(tile.attention(attend, x, x, x, deeper), attend(x, x, x)), "not so deep"
    tiled = HyperTile(32, 1, 1, False).attention(attend, x, x, x, deeper)
    assert same(tiled, found.flatten(1, 2))
    large = HyperTile(32, 1, 1, True).attention(attend, x, x, x, deeper)
    assert same(large, attend(x, x, x)), "tiles of eight do not divide it"
    text = BlockPosition("input", 1, (8, 12), 300.0, True, module)
    assert same(tile.attention(attend, x, x, x, text), attend(x, x, x))
    assert not same(asked(unet, tile), asked(unet))
    assert same(asked(unet, HyperTile(64, 3, 1, False)), asked(unet, HyperTile(64, 3, 1, False)))


def test_merged_tokens_share_one_answer(unet: Any):
    module = unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1
    x = torch.randn(2, 6 * 8, 32)
    position = BlockPosition("input", 1, (6, 8), 300.0, False, module)
    asked_for: list[Tensor] = []

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        asked_for.append(q)
        return q

    found = TokenMerging(0.25).attention(attend, x, x, x, position)
    (queries,) = asked_for
    assert queries.shape == (2, 36, 32)
    for picture, merged in zip(x, found, strict=True):
        lone = (picture == merged).all(dim=1)
        rows: Any = merged[~lone]
        means: list[Tensor] = [*rows.unique(dim=0)]
        assert len(merged[~lone]) == len(means) + 12, "twelve went into others"
        for mean in means:
            members = picture[(merged == mean).all(dim=1)]
            assert same(members.mean(dim=0), mean)
    assert same(TokenMerging(0.0).attention(attend, x, x, x, position), x)
    assert not same(asked(unet, TokenMerging(0.5)), asked(unet))


def test_perturbed_attention_gives_values_in_the_middle_alone(unet: Any):
    middle = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    position = BlockPosition("middle", 0, (16, 24), 300.0, False, middle)
    x = torch.randn(1, 24, 128)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return q * 0

    expected = x @ middle.to_v.weight.T @ middle.to_out[0].weight.T + middle.to_out[0].bias
    found = PerturbedAttention().attention(attend, x, x, x, position)
    assert torch.allclose(found, expected, atol=1e-4)
    elsewhere = BlockPosition("input", 1, (16, 24), 300.0, False, middle)
    assert same(PerturbedAttention().attention(attend, x, x, x, elsewhere), x * 0)
    assert not same(asked(unet, PerturbedAttention()), asked(unet))


def test_attention_is_recorded_as_what_each_token_gets(unet: Any):
    record = RecordedAttention()
    assert same(asked(unet, record), asked(unet))
    (seen,) = record.seen
    assert seen.shape == (2, 24)
    assert torch.allclose(seen.sum(dim=1), torch.tensor([24.0, 24.0]))


def test_a_hypernetwork_changes_keys_and_values_of_its_width(unet: Any):
    pair = (torch.nn.Linear(WIDTH, WIDTH), torch.nn.Linear(WIDTH, WIDTH))
    module = unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2
    q, text = torch.randn(1, 9, 32), torch.randn(1, 7, WIDTH)
    position = BlockPosition("input", 1, (3, 3), 300.0, True, module)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attended(module, q, k, v)

    found = Hypernetwork({WIDTH: pair}, 0.5).attention(attend, q, text, text, position)
    expected = attend(q, text + 0.5 * pair[0](text), text + 0.5 * pair[1](text))
    assert same(found, expected)
    assert same(Hypernetwork({99: pair}, 1.0).attention(attend, q, text, text, position),
                attend(q, text, text))  # fmt: skip


def test_patches_act_together_in_any_order(unet: Any):
    patches: list[UNetPatch] = [
        FreeU(32, (1.3, 1.4), (0.9, 0.2)), HyperTile(32, 1, 1, False), TokenMerging(0.5),
        Downscale(3, 2.0, 10.0, 0.0, True, "bicubic", "bicubic"), PerturbedAttention(),
    ]  # fmt: skip
    found = asked(unet, *patches)
    assert found.isfinite().all()
    for index in range(len(patches)):
        assert not same(found, asked(unet, *patches[:index], *patches[index + 1 :]))
    assert asked(unet, *reversed(patches)).isfinite().all()


def test_latents_are_resized_by_the_method_that_was_asked_for():
    h = torch.randn(1, 8, 6, 6)
    shrink = Downscale(0, 1.5, 10.0, 0.0, True, "area", "bicubic")
    position = BlockPosition("input", 0, (6, 6), 1.0)
    assert same(shrink.after_skip(h, position), resized(h, "area", 4, 4, crop=False))
    assert shrink.before_skip(h, position) is h


def test_a_hypernetwork_is_read_from_the_file_of_its_trainer(tmp_path: Path):
    first, last = torch.nn.Linear(WIDTH, 48), torch.nn.Linear(48, WIDTH)
    norm = torch.nn.LayerNorm(48)
    weights = {
        f"linear.{place}.{name}": value.detach()
        for place, layer in ((0, first), (2, norm), (3, last))
        for name, value in layer.named_parameters()
    }
    saved = {WIDTH: (weights, weights), "activation_func": "relu", "is_layer_norm": True}
    torch.save({**saved, "name": "mine", "step": 7}, tmp_path / "mine.pt")
    found = read_hypernetwork(tmp_path / "mine.pt", 0.5)
    x = torch.randn(1, 7, WIDTH)
    for network in found.networks[WIDTH]:
        assert same(network(x), last(norm(first(x).relu())))
    torch.save({**saved, "activation_func": "eval"}, tmp_path / "odd.pt")
    with pytest.raises(TorchFileError, match="activation_func 'eval' is not known"):
        read_hypernetwork(tmp_path / "odd.pt", 1.0)
    torch.save({"a": torch.ones(2)}, tmp_path / "other.pt")
    with pytest.raises(TorchFileError, match="holds no hypernetwork"):
        read_hypernetwork(tmp_path / "other.pt", 1.0)
