"""Latents: sizes, mixtures, batches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from nodes import batch, latent_space
from nodes.models.files.tensor_files import ModelFileError, latent_file
from nodes.models.latents import latents
from nodes.models.latents.latents import Latents
from nodes.models.sampling.noise import initial_noise
from tests.models.bench import Bench, n, numbers
from tests.models.conftest import read_tensors, write_tensors


def some(count: int = 1, rows: int = 8, columns: int = 12, channels: int = 4) -> Tensor:
    return torch.randn(count, channels, rows, columns, generator=torch.Generator().manual_seed(3))


def test_the_node_offers_every_way_of_scaling():
    assert latents.SCALE_METHODS == latent_space.SCALE_METHODS


@pytest.mark.parametrize("method", latents.SCALE_METHODS)
@pytest.mark.parametrize("crop", [True, False])
def test_latents_get_the_size_of_a_picture(method: str, crop: bool):
    for width, height, expected in (
        (160, 80, (10, 20)),
        (0, 128, (16, 24)),
        (96, 0, (8, 12)),
        (0, 0, (8, 12)),
        (8, 1000, (125, 8)),
    ):
        found = latents.scaled_to_pixels(some(2), method, width, height, crop=crop)
        assert found.shape == (2, 4, *expected)
    assert latents.scaled_by(some(), method, 1.5).shape == (1, 4, 12, 18)
    assert latents.scaled_by(some(), method, 0.01).shape == (1, 4, 1, 1)


def test_bislerp_keeps_the_length_of_vectors_where_mixing_does_not():
    right, up = torch.tensor([1.0, 0, 0, 0]), torch.tensor([0, 1.0, 0, 0])
    pair = torch.stack([right, up], dim=-1).reshape(1, 4, 1, 2)
    for method, expected in (("bislerp", 1.0), ("bilinear", 0.5**0.5)):
        middle = latents.resized(pair, method, 3, 1, crop=False)[0, :, 0, 1]
        assert float(middle.square().sum().sqrt()) == pytest.approx(expected)
        assert float(middle[0]) == pytest.approx(float(middle[1]))


def test_bislerp_of_the_same_size_and_of_nothing_changes_nothing():
    given = some(2)
    assert torch.allclose(latents.resized(given, "bislerp", 12, 8, crop=False), given, atol=1e-6)
    blank = torch.zeros(1, 4, 2, 2)
    assert latents.resized(blank, "bislerp", 5, 5, crop=False).abs().max() == 0
    opposite = torch.tensor([[1.0, -1.0]]).reshape(1, 1, 1, 2)
    assert numbers(latents.resized(opposite, "bislerp", 3, 1, crop=False).flatten()) == [1, 0, -1]


def test_a_part_of_latents_is_at_least_64_pixels_wide():
    given = some(1, 16, 16)
    found = latent_space.crop(samples={"samples": given}, width=64, height=96, x=16, y=999)
    assert torch.equal(found["samples"], given[..., 8:16, 2:10])


def test_latents_fade_in_except_at_the_edge():
    below, above = torch.zeros(1, 4, 16, 16), torch.ones(1, 4, 8, 8)
    found = latents.composited(below, above, 4, 0, 4)
    assert numbers(found[0, 0, 0, 4:12]) == [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25]
    assert numbers(found[0, 0, :9, 8]) == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]
    assert torch.equal(latents.composited(below, above, 0, 0, 0)[..., :8, :8], above)


def test_latents_are_mixed():
    one: Latents = {"samples": some()}
    other: Latents = {"samples": some(1, 4, 6) * 2}
    added = latent_space.add(samples1=one, samples2=other)["samples"]
    taken = latent_space.subtract(samples1=one, samples2=other)["samples"]
    assert torch.allclose(added + taken, 2 * some(), atol=1e-6)
    same = latent_space.blend(samples1=one, samples2=other, blend_factor=1.0)["samples"]
    assert torch.equal(same, some())
    first = latent_space.interpolate(samples1=one, samples2=other, ratio=1.0)["samples"]
    assert torch.allclose(first, some(), atol=1e-6)
    halved = latent_space.multiply(samples=one, multiplier=0.5)["samples"]
    assert torch.equal(halved * 2, some())


def test_latents_of_two_kinds_of_model_are_refused():
    with pytest.raises(ValueError, match="4 and of 16 channels do not go together"):
        latents.like(some(), some(channels=16))


def test_blank_latents_go_together_with_those_of_any_model():
    blank: Latents = {"samples": torch.zeros(1, 4, 6, 8)}
    held: Latents = {"samples": some(1, 3, 4, channels=16)}
    pasted = latent_space.composite(samples_to=blank, samples_from=held, x=8, y=16)["samples"]
    assert pasted.shape == (1, 16, 6, 8)
    assert torch.equal(pasted[..., 2:5, 1:5], held["samples"])
    masked = latent_space.composite_masked(destination=blank, source=held, x=8, y=16)["samples"]
    assert torch.equal(masked, pasted)
    for node in (latent_space.add, latent_space.subtract, latent_space.blend, batch.batch_latents):
        for pair in ((blank, held), (held, blank)):
            made = node(samples1=pair[0], samples2=pair[1])["samples"]
            assert made.shape[1:] == (16, *pair[0]["samples"].shape[2:])
    mixed = latent_space.interpolate(samples1=blank, samples2=held, ratio=0.5)["samples"]
    assert mixed.shape == (1, 16, 6, 8)
    beside: Latents = {"samples": torch.zeros(1, 4, 3, 9)}
    wide = latent_space.concat(samples1=held, samples2=beside, dim="x")["samples"]
    assert wide.shape == (1, 16, 3, 13)


def test_latents_are_cut_and_put_beside_each_other():
    given = some(1, 8, 12)
    assert torch.equal(latents.cut(given, "x", -3, 99), given[..., -3:])
    assert torch.equal(latents.cut(given, "y", 2, 3), given[..., 2:5, :])
    left, right = latents.cut(given, "x", 0, 5), latents.cut(given, "x", 5, 7)
    assert torch.equal(latents.concatenated(left, right, "x"), given)
    assert torch.equal(latents.concatenated(right, left, "-x"), given)
    with pytest.raises(ValueError, match="no axis t"):
        latents.cut(given, "t", 0, 1)
    with pytest.raises(ValueError, match="do not fit beside each other along y"):
        latents.concatenated(left, right, "y")


def test_a_latent_out_of_a_batch_keeps_its_noise():
    whole = some(4)
    part = latents.part({"samples": whole}, 2, 9)
    assert part.get("batch_index") == [2, 3]
    noise = initial_noise(whole, 7)
    assert torch.equal(initial_noise(part["samples"], 7, part.get("batch_index")), noise[2:])
    again = latents.part(part, 1, 1)
    assert again.get("batch_index") == [3]


def test_masks_go_with_their_latents():
    masked: Latents = {"samples": some(3), "noise_mask": torch.rand(3, 1, 64, 96)}
    part = latents.part(masked, 1, 1)
    assert torch.equal(part.get("noise_mask", some()), masked.get("noise_mask", some())[1:2])
    twice = latents.multiplied({**masked, "batch_index": [4, 5, 6]}, 2)
    assert len(twice.get("noise_mask", ())) == 6
    assert twice.get("batch_index") == [4, 5, 6, 7, 8, 9]
    one: Latents = {"samples": some(3), "noise_mask": torch.rand(1, 1, 64, 96)}
    assert len(latents.multiplied(one, 2).get("noise_mask", ())) == 1


def test_latents_are_regrouped_and_numbered_on():
    batches: list[Latents] = [
        {"samples": some(3)},
        {"samples": some(2)},
        {"samples": some(1, 4, 4)},
        {"samples": some(1, 4, 4), "noise_mask": torch.ones(1, 1, 32, 32)},
    ]
    found = batch.rebatch_latents(latents=batches, batch_size=4)
    assert [len(group["samples"]) for group in found] == [4, 1, 1, 1]
    assert [group.get("batch_index") for group in found] == [[0, 1, 2, 3], [4], [5], [6]]
    assert ["noise_mask" in group for group in found] == [False, False, False, True]


def test_a_batch_may_share_one_noise():
    fixed = batch.seed_behavior(samples={"samples": some(3), "batch_index": [2, 5, 6]})
    assert fixed.get("batch_index") == [2, 2, 2]
    free = batch.seed_behavior(samples=fixed, seed_behavior="random")
    assert "batch_index" not in free
    both = batch.batch_latents(samples1=fixed, samples2={"samples": some(2, 4, 4)})
    assert both["samples"].shape == (5, 4, 8, 12)
    assert both.get("batch_index") == [2, 2, 2, 0, 1]


def test_saved_latents_are_read(tmp_path: Path):
    path = tmp_path / "a.latent"
    path.write_bytes(latent_file(some(), {}))
    assert torch.equal(latents.read(path), some())
    write_tensors(path, {"latent_tensor": some() * latents.SD15_SCALE})
    assert torch.allclose(latents.read(path), some())
    for data in (b"", b"no latents", path.read_bytes()[:100]):
        path.write_bytes(data)
        with pytest.raises(ModelFileError, match=r"a\.latent: holds no latents"):
            latents.read(path)


async def test_latents_go_through_the_engine(bench: Bench):
    (bench.home / "input" / "some.latent").write_bytes(latent_file(some(2), {}))
    prompt = {
        "1": n("LoadLatent", latent="some.latent"),
        "2": n("LatentFromBatch", samples=["1", 0], batch_index=1, length=1),
        "3": n("RepeatLatentBatch", samples=["2", 0], amount=3),
        "4": n("RebatchLatents", latents=["3", 0], batch_size=2),
        "5": n("LatentUpscaleBy", samples=["4", 0], upscale_method="nearest-exact", scale_by=2.0),
        "6": n("SaveLatent", samples=["5", 0], filename_prefix="big"),
        "7": n("EmptySD3LatentImage", width=64, height=128, batch_size=1),
        "8": n("SaveLatent", samples=["7", 0], filename_prefix="sd3"),
    }
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry
    for number, count in ((1, 2), (2, 1)):
        saved = read_tensors(bench.home / "output" / f"big_0000{number}_.latent")["latent_tensor"]
        assert saved.shape == (count, 4, 16, 24)
        assert torch.equal(saved[0, :, ::2, ::2], some(2)[1])
    saved = read_tensors(bench.home / "output" / "sd3_00001_.latent")["latent_tensor"]
    assert saved.shape == (1, 16, 16, 8)
