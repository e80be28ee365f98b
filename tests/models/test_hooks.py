"""Hooks: changes of weights that conditionings bring; keyframes, and texts for what is left."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes import conditioning_properties as properties
from nodes import hooks as nodes
from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.hook_sources import LoraSource, ModelSource
from nodes.models.conditioning.hooks import Hook, Hooks, Keyframe, TextHooks
from nodes.models.files.tensor_files import ModelFileError, read_header
from nodes.models.networks.lora import Lora, read_adapters, with_lora
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.text.text_encoder import clip_alone
from tests.models.bench import n, opened
from tests.models.conftest import Loaded, handles, make_tiny_folder, ready
from tests.models.test_attention_guidance import SIGMA, X, alone
from tests.models.test_lora import TEXT_MODULE, UNET_MODULE, UNET_OUT, bits, flat, kohya, pair, same
from tests.models.test_models_in_jobs import drawn


def of_both(path: Path) -> Path:
    """A LoRA for the denoiser and the text encoder of the tiny model."""
    up, down = pair()
    names = [f"lora_unet_{flat(UNET_MODULE)}", f"lora_unet_{flat(UNET_OUT)}"]
    text = f"lora_te_text_model_{flat(TEXT_MODULE.partition('.')[2])}"
    return kohya(path, *names, text, up=up, down=down)


@pytest.fixture
def source(tmp_path: Path) -> LoraSource:
    return LoraSource(read_adapters(read_header(of_both(tmp_path / "style.safetensors"))))


def hooked(text: Conditioning, hooks: Hooks) -> Conditioning:
    return properties.set_properties(cond_NEW=text, set_cond_area="default", hooks=hooks)


def asked(tiny: Loaded, text: Conditioning, level: Tensor = SIGMA) -> Tensor:
    return evaluate([StepRequest(cfg_guider(tiny.model, text), X, level)])[0]


def with_style(tiny: Loaded, source: LoraSource, strength: float, text: str = "cat") -> Tensor:
    model = with_lora(tiny.model, Lora(source.adapters, strength))
    model.bind(tiny.model.network)
    return evaluate([StepRequest(cfg_guider(model, tiny.clip.encode(text)), X, SIGMA)])[0]


def near(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, atol=1e-4)


def test_a_hook_counts_for_the_conditioning_that_brings_it(tiny: Loaded, source: LoraSource):
    before = bits(tiny.model)
    cat, dog = tiny.clip.encode("cat"), tiny.clip.encode("dog")
    styled = hooked(cat, (Hook(source, 0.5, 0.0),))
    guider = cfg_guider(tiny.model, styled, dog, 3.0)
    found = evaluate([StepRequest(guider, X, SIGMA)])[0]
    cond, uncond = with_style(tiny, source, 0.5), alone(tiny, "dog")
    assert near(found, uncond + 3 * (cond - uncond))
    assert not near(cond, alone(tiny, "cat"))
    assert same(before, bits(tiny.model)), "its weights are as they were"


def test_hooks_add_up_with_each_other_and_with_the_loras_of_a_model(
    tiny: Loaded, source: LoraSource
):
    two = nodes.combine_two(hooks_A=(Hook(source, 0.2, 0.0),), hooks_B=(Hook(source, 0.1, 0.0),))
    more = nodes.combine_eight(hooks_C=two, hooks_H=nodes.combine_four(hooks_B=two))
    assert (len(two), len(more)) == (2, 4)
    model = with_lora(tiny.model, Lora(source.adapters, 0.3))
    model.bind(tiny.model.network)
    text = hooked(hooked(tiny.clip.encode("cat"), two[:1]), two[1:])
    found = evaluate([StepRequest(cfg_guider(model, text), X, SIGMA)])[0]
    assert near(found, with_style(tiny, source, 0.6))


def test_a_hook_counts_by_the_last_keyframe_that_is_reached(tiny: Loaded, source: LoraSource):
    frames = nodes.create_keyframe(strength_mult=2.0, start_percent=0.5)
    frames = nodes.create_keyframe(strength_mult=0.5, start_percent=0.2, prev_hook_kf=frames[0])
    hooks = nodes.set_keyframes(hooks=(Hook(source, 0.4, 0.0),), hook_kf=frames[0])
    text = hooked(tiny.clip.encode("cat"), hooks)
    for part, strength in ((0.1, 0.2), (0.3, 0.2), (0.6, 0.8)):
        level = torch.tensor(tiny.model.space.percent_to_sigma(part))
        plain = hooked(tiny.clip.encode("cat"), (Hook(source, strength, 0.0),))
        assert near(asked(tiny, text, level), asked(tiny, plain, level)), part
    bare = nodes.set_keyframes(hooks=hooks, hook_kf=None)
    assert bare == hooks


@pytest.mark.parametrize(
    ("interpolation", "middle"),
    [("linear", 2.0), ("ease_in", 1.5), ("ease_out", 2.5), ("ease_in_out", 2.0)],
)
def test_keyframes_go_from_one_strength_to_another(interpolation: str, middle: float):
    (frames,) = nodes.interpolate_keyframes(
        strength_start=1.0, strength_end=3.0, interpolation=interpolation, start_percent=0.2,
        end_percent=0.6, keyframes_count=3, print_keyframes=True,
    )  # fmt: skip
    starts = [frame.start for frame in frames]
    assert starts == pytest.approx([0.2, 0.4, 0.6])
    assert [frame.strength for frame in frames] == pytest.approx([1.0, middle, 3.0])


def test_keyframes_are_made_of_a_list_of_numbers():
    (frames,) = nodes.list_keyframes(floats_strength=[0.0, 1.0], start_percent=0.5)
    assert frames == (Keyframe(0.0, 0.5), Keyframe(1.0, 1.0))
    assert nodes.list_keyframes(floats_strength=0.3)[0] == (Keyframe(0.3, 0.0),)
    wrong: Any = ["much"]
    with pytest.raises(ValueError, match="floats_strength: it holds more than numbers"):
        nodes.list_keyframes(floats_strength=wrong)


def test_hooks_of_a_text_encoder_change_what_it_encodes(tiny: Loaded, source: LoraSource):
    changed = with_lora(tiny.clip, Lora(source.adapters, 0.7))
    changed.bind(tiny.clip.network)
    expected = changed.encode("a cat")[0][0]
    hooks = (Hook(source, 1.0, 0.7),)
    for for_model in (True, False):
        hooked_clip = nodes.set_clip_hooks(
            clip=tiny.clip, apply_to_conds=for_model, schedule_clip=False, hooks=hooks
        )
        clip = clip_alone(hooked_clip)
        clip.bind(tiny.clip.network)
        ((text, options),) = clip.encode("a cat")
        assert torch.allclose(text, expected, atol=2e-3), "halves are not rounded beside"
        assert options.get("hooks") == (hooks if for_model else None)
    assert not torch.allclose(expected, tiny.clip.encode("a cat")[0][0], atol=1e-2)
    none = nodes.set_clip_hooks(clip=tiny.clip, apply_to_conds=True, schedule_clip=True)
    assert none is tiny.clip


def test_a_scheduled_text_is_encoded_for_each_part_of_the_sampling(
    tiny: Loaded, source: LoraSource
):
    frames = (Keyframe(0.0, 0.0), Keyframe(1.0, 0.4))
    hooks = nodes.set_keyframes(hooks=(Hook(source, 0.0, 0.7),), hook_kf=frames)
    hooked_clip = nodes.set_clip_hooks(
        clip=tiny.clip, apply_to_conds=False, schedule_clip=True, hooks=hooks
    )
    clip = clip_alone(hooked_clip)
    clip.bind(tiny.clip.network)
    found = clip.encode("cat")
    plain = tiny.clip.encode("cat")
    assert len(found) == 2
    assert torch.equal(found[0][0], plain[0][0])
    assert not torch.equal(found[1][0], plain[0][0])
    for part, place in ((0.3, 0), (0.5, 1)):
        level = torch.tensor(tiny.model.space.percent_to_sigma(part))
        expected = asked(tiny, [(found[place][0], {})], level)
        assert near(asked(tiny, found, level), expected)
        late = properties.set_properties(
            cond_NEW=found, set_cond_area="default", timesteps=(0.0, 1.0)
        )
        assert near(asked(tiny, late, level), expected), "another range leaves the schedule"


def test_another_checkpoint_counts_as_a_lora_would(tiny: Loaded, tmp_path: Path):
    folder = make_tiny_folder(tmp_path / "other", seed=3)
    other, loaded = handles(folder), ready(folder)
    networks = ModelSource((other.model, other.clip))
    text = tiny.clip.encode("cat")
    wholly = asked(tiny, hooked(text, (Hook(networks, 1.0, 0.0),)))
    expected = evaluate([StepRequest(cfg_guider(loaded.model, text), X, SIGMA)])[0]
    assert torch.allclose(wholly, expected, atol=1e-3)
    half = asked(tiny, hooked(text, (Hook(networks, 0.5, 0.0), Hook(networks, 0.5, 0.0))))
    assert torch.allclose(half, expected, atol=1e-3), "differences to the file add up"
    hooked_clip = nodes.set_clip_hooks(
        clip=tiny.clip, apply_to_conds=False, schedule_clip=False, hooks=(Hook(networks, 1.0, 1.0),)
    )
    clip = clip_alone(hooked_clip)
    clip.bind(tiny.clip.network)
    assert torch.allclose(clip.encode("cat")[0][0], loaded.clip.encode("cat")[0][0], atol=5e-3)
    assert torch.equal(tiny.clip.encode("cat")[0][0], text[0][0])


def test_a_hook_of_another_kind_of_model_is_refused_by_name(tiny: Loaded, tmp_path: Path):
    up, down = pair()
    path = kohya(tmp_path / "flux.safetensors", "lora_unet_single_blocks_0_lin", up=up, down=down)
    source = LoraSource(read_adapters(read_header(path)))
    with pytest.raises(ModelFileError, match=r"flux\.safetensors: none of its 1 modules"):
        asked(tiny, hooked(tiny.clip.encode("cat"), (Hook(source, 1.0, 0.0),)))


def test_a_text_counts_where_and_when_it_is_said(tiny: Loaded):
    text = tiny.clip.encode("cat")
    mask = torch.ones(64, 64)
    ((_, options),) = properties.set_properties(
        cond_NEW=text, strength=0.5, set_cond_area="mask bounds", mask=mask, timesteps=(0.2, 0.7)
    )
    assert torch.equal(options["mask"], mask[None])
    assert (options["mask_strength"], options["set_area_to_bounds"]) == (0.5, True)
    assert (options["start_percent"], options["end_percent"]) == (0.2, 0.7)
    alone = properties.set_properties(cond_NEW=text, strength=0.5, set_cond_area="default")
    assert alone[0][1]["strength"] == 0.5
    both = properties.set_properties_and_combine(
        cond=text, cond_NEW=text, strength=0.5, set_cond_area="default"
    )
    assert [options.get("strength") for _, options in both] == [None, 0.5]
    pair_ = properties.set_pair_and_combine(
        positive=text, negative=text, positive_NEW=text, negative_NEW=[], set_cond_area="default"
    )
    assert (len(pair_.positive), len(pair_.negative)) == (2, 1)
    whole = properties.set_pair(
        positive_NEW=text, negative_NEW=text, strength=0.5, set_cond_area="default"
    )
    assert [side[0][1]["strength"] for side in whole] == [0.5, 0.5]
    joined = properties.combine_pairs(
        positive_A=text, negative_A=text, positive_B=text, negative_B=text
    )
    assert [len(side) for side in joined] == [2, 2]
    ranges = properties.timesteps_range(start_percent=0.2, end_percent=0.7)
    assert ranges == ((0.2, 0.7), (0.0, 0.2), (0.7, 1.0))


def test_a_default_text_counts_where_no_other_does(tiny: Loaded):
    cat, dog = tiny.clip.encode("cat"), tiny.clip.encode("dog")
    left = torch.zeros(8, 8)
    left[:, :4] = 1
    half = properties.set_properties(cond_NEW=cat, set_cond_area="default", mask=left)
    late = properties.set_properties(
        cond_NEW=half, set_cond_area="default", mask=left, timesteps=(0.5, 1.0)
    )
    whole, other = alone(tiny, "cat"), alone(tiny, "dog")
    both = properties.set_default(cond=half, cond_DEFAULT=dog)
    found = asked(tiny, both)
    assert near(found[..., :4], whole[..., :4])
    assert near(found[..., 4:], other[..., 4:])
    assert near(asked(tiny, properties.set_default(cond=cat, cond_DEFAULT=dog)), whole)
    assert near(asked(tiny, properties.set_default(cond=[], cond_DEFAULT=dog)), other)
    timed = properties.set_default(cond=late, cond_DEFAULT=dog)
    early = torch.tensor(tiny.model.space.percent_to_sigma(0.3))
    assert near(asked(tiny, timed, early), asked(tiny, dog, early)), "nothing else counts yet"
    pair_ = properties.set_default_pair(
        positive=half, negative=cat, positive_DEFAULT=dog, negative_DEFAULT=dog
    )
    guider = cfg_guider(tiny.model, *pair_, 2.0)
    guided = evaluate([StepRequest(guider, X, SIGMA)])[0]
    assert near(guided[..., 4:], (whole + 2 * (other - whole))[..., 4:])


def test_jobs_with_hooks_share_a_batch_with_others(tiny: Loaded, source: LoraSource):
    cat = tiny.clip.encode("cat")
    texts = [cat, hooked(cat, (Hook(source, 0.5, 0.0),)), cat, hooked(cat, (Hook(source, 1, 0),))]
    requests = [StepRequest(cfg_guider(tiny.model, text), X, SIGMA) for text in texts]
    assert len({request.key for request in requests}) == 1
    found = evaluate(requests)
    assert torch.equal(found[0], found[2])
    for place, strength in ((0, 0.0), (1, 0.5), (3, 1.0)):
        assert near(found[place], with_style(tiny, source, strength))


def test_two_lanes_may_use_one_network_while_a_hook_changes_it(tiny: Loaded, source: LoraSource):
    cat = tiny.clip.encode("cat")
    styled = hooked(cat, (Hook(source, 0.5, 0.0),))
    changed = replace(tiny.clip, hooks=TextHooks((Hook(source, 0.0, 0.9),), False, False))
    changed.bind(tiny.clip.network)
    expected = [asked(tiny, cat), asked(tiny, styled), cat[0][0], changed.encode("cat")[0][0]]

    def found(which: int) -> list[bool]:
        made: list[bool] = []
        for _ in range(30):
            if which < 2:
                answer = asked(tiny, (cat, styled)[which])
            else:
                answer = (tiny.clip, changed)[which - 2].encode("cat")[0][0]
            made.append(near(answer, expected[which]))
        return made

    assert not near(expected[0], expected[1])
    assert not near(expected[2], expected[3])
    with ThreadPoolExecutor(4) as lanes:
        assert all(all(right) for right in lanes.map(found, range(4)))


async def test_a_prompt_draws_with_hooks_what_it_draws_with_the_lora(
    tiny_folder: Path, tmp_path: Path
):
    models = tmp_path / "models"
    shutil.copytree(tiny_folder, models / "checkpoints" / "tiny")
    (models / "loras").mkdir()
    of_both(models / "loras" / "style.safetensors")
    strengths = {"strength_model": 0.3, "strength_clip": 0.5}
    merged = drawn(
        "merged",
        merged=n(
            "LoraLoader", model=["load", 0], clip=["load", 1], lora_name="style.safetensors",
            **strengths,
        ),
    )  # fmt: skip
    merged["text"]["inputs"]["clip"] = ["merged", 1]
    hooks = drawn(
        "load",
        hook=n("CreateHookLora", lora_name="style.safetensors", **strengths),
        frame=n("CreateHookKeyframe", strength_mult=1.0, start_percent=0.0),
        timed=n("SetHookKeyframes", hooks=["hook", 0], hook_kf=["frame", 0]),
        changed=n(
            "SetClipHooks", clip=["load", 1], hooks=["timed", 0], apply_to_conds=True,
            schedule_clip=True,
        ),
    )  # fmt: skip
    hooks["text"]["inputs"]["clip"] = ["changed", 0]
    hooks["save"]["inputs"]["filename_prefix"] = "hooks"
    async with opened(tmp_path / "home", models) as bench:
        entries = await bench.run(merged, hooks, drawn("load"))
        assert [entry.outcome.status for entry in entries] == ["success"] * 3, entries
        with_lora, with_hooks, plain = (bench.image(name) for name in ("merged", "hooks", "load"))
    assert abs(with_lora - with_hooks).max() <= 3.01 / 255
    assert abs(with_lora - plain).max() > 10 / 255
