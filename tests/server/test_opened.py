"""Files of other programs open as graphs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.authoring.registry import Registry
from engine.graph.errors import PromptError
from engine.graph.infotext import is_infotext, read_infotext
from engine.graph.validate import validate
from engine.graph.workflow import to_prompt
from engine.run.engine import plain_config
from engine.server.opened import Opened, opened
from engine.server.picture_texts import comment_text
from engine.store.folders import Folders
from tests.graph.infotexts import A1111, CARRIERS, OTHERS, png, unicode_comment, with_comment

MODELS = (
    "checkpoints/sd15/V1-5-pruned-emaonly.safetensors",
    "checkpoints/dreamshaper.safetensors",
    "checkpoints/SDXL/base.safetensors",
    "loras/detail.safetensors",
    "loras/mine/style.safetensors",
    "vae/kl-f8-anime2.ckpt",
    "upscale_models/4x.pth",
    "embeddings/easyneg.pt",
)


@pytest.fixture(scope="module")
def known() -> Registry:
    return Registry.installed()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    made = Folders(tmp_path_factory.mktemp("home"))
    made.create()
    for name in MODELS:
        path = made.root("models") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return made


def of_type(prompt: dict[str, Any], type: str) -> list[dict[str, Any]]:
    return [node["inputs"] for node in prompt.values() if node["class_type"] == type]


def drawn(found: Opened, known: Registry) -> dict[str, Any]:
    return to_prompt(found.workflow, known)


@pytest.mark.parametrize("kind", CARRIERS)
def test_a_picture_of_the_web_ui_opens_as_the_graph_that_made_it(
    kind: str, known: Registry, folders: Folders
):
    found = opened(CARRIERS[kind], known, folders)
    prompt = drawn(found, known)
    (loader,) = of_type(prompt, "CheckpointLoaderSimple")
    assert loader["ckpt_name"] == "sd15/V1-5-pruned-emaonly.safetensors"
    loras = [
        (x["lora_name"], x["strength_model"], x["strength_clip"])
        for x in of_type(prompt, "LoraLoader")
    ]
    assert loras == [("detail.safetensors", 0.8, 0.8), ("mine/style.safetensors", 0.25, 0.5)]
    assert of_type(prompt, "CLIPSetLastLayer")[0]["stop_at_clip_layer"] == -2
    assert of_type(prompt, "VAELoader")[0]["vae_name"] == "kl-f8-anime2.ckpt"
    first, snow, negative = (x["text"] for x in of_type(prompt, "CLIPTextEncode"))
    assert first == "a (red:1.3) fox, (blurry:0.91) trees, embedding:easyneg"
    assert snow.replace("ü", "u") == "snow und ice"
    assert negative == "bad hands,\nworse feet"
    assert len(of_type(prompt, "ConditioningConcat")) == 1
    size = of_type(prompt, "EmptyLatentImage")[0]
    assert (size["width"], size["height"]) == (512, 768)
    larger = of_type(prompt, "LatentUpscale")[0]
    assert (larger["width"], larger["height"], larger["upscale_method"]) == (768, 1152, "bicubic")
    one, two = of_type(prompt, "KSampler")
    shared = {"seed": 4294967295, "cfg": 6.5, "sampler_name": "dpmpp_2m", "scheduler": "karras"}
    assert one.items() >= ({"steps": 24, "denoise": 1.0} | shared).items()
    assert two.items() >= ({"steps": 12, "denoise": 0.45} | shared).items()
    assert found.notes == ["adetailer model: face, yolo was left out."]
    (note,) = [node for node in found.workflow["nodes"] if node["type"] == "Note"]
    assert "adetailer model" in note["widgets_values"][0]


@pytest.mark.parametrize("data", [*CARRIERS.values(), *OTHERS.values()])
def test_such_a_graph_is_one_that_runs(data: bytes, known: Registry, folders: Folders):
    prompt = drawn(opened(data, known, folders), known)
    try:
        valid = asyncio.run(validate(prompt, known, folders, plain_config))
        errors = valid.errors
    except PromptError as error:
        errors = error.node_errors
    found = [(error.type, error.details) for node in errors.values() for error in node.errors]
    of_empty_models = "custom_validation_failed"
    assert [error for error in found if error[0] != of_empty_models] == []


def test_a_picture_of_invoke_opens(known: Registry, folders: Folders):
    found = opened(OTHERS["InvokeAI"], known, folders)
    prompt = drawn(found, known)
    assert of_type(prompt, "CheckpointLoaderSimple")[0]["ckpt_name"] == "dreamshaper.safetensors"
    assert of_type(prompt, "LoraLoader")[0]["strength_model"] == 0.6
    sampler = of_type(prompt, "KSampler")[0]
    expected = {"seed": 77, "steps": 18, "cfg": 5.5, "sampler_name": "dpmpp_2m"}
    assert sampler.items() >= (expected | {"scheduler": "karras"}).items()
    assert found.notes == ["strength: 0.7 was left out."]


def test_a_picture_of_swarm_opens(known: Registry, folders: Folders):
    found = opened(OTHERS["SwarmUI"], known, folders)
    prompt = drawn(found, known)
    assert of_type(prompt, "CheckpointLoaderSimple")[0]["ckpt_name"] == "SDXL/base.safetensors"
    assert sorted(x["strength_model"] for x in of_type(prompt, "LoraLoader")) == [0.4, 0.75]
    assert of_type(prompt, "UpscaleModelLoader")[0]["model_name"] == "4x.pth"
    assert of_type(prompt, "ImageScale")[0]["width"] == 2048
    assert [x["denoise"] for x in of_type(prompt, "KSampler")] == [1.0, 0.3]
    assert found.notes == ["freeu: True was left out."]


@pytest.mark.parametrize(
    ("sampler", "schedule", "expected"),
    [
        ("Euler a", "", ("euler_ancestral", "normal")),
        ("DPM++ 2M", "Karras", ("dpmpp_2m", "karras")),
        ("DPM++ 2M", "Automatic", ("dpmpp_2m", "karras")),
        ("DPM++ 2M SDE Exponential", "", ("dpmpp_2m_sde", "exponential")),
        ("DPM++ 2M SDE Heun Karras", "", ("dpmpp_2m_sde_heun", "karras")),
        ("DPM2 a Karras", "", ("dpm_2_ancestral", "karras")),
        ("UniPC", "SGM Uniform", ("uni_pc", "sgm_uniform")),
        ("DDIM", "", ("ddim", "ddim_uniform")),
        ("Restart", "", ("euler", "normal")),
        ("Euler", "Odd", ("euler", "normal")),
    ],
)
def test_samplers_and_schedules_have_our_names(
    sampler: str, schedule: str, expected: tuple[str, str]
):
    text = f"x\nSteps: 5, Sampler: {sampler}, " + (
        f"Schedule type: {schedule}, " if schedule else ""
    )
    recipe = read_infotext(text + "CFG scale: 7, Seed: 1, Size: 64x64")
    assert (recipe.sampler, recipe.scheduler) == expected
    assert len(recipe.notes) == (sampler == "Restart" or schedule == "Odd")


def test_a_picture_that_carries_a_graph_opens_as_that(known: Registry, folders: Folders):
    workflow = {"nodes": [{"id": 1, "type": "EmptyImage"}], "links": []}
    prompt = {"1": {"class_type": "EmptyImage", "inputs": {"width": 8}}}
    assert opened(png("workflow", json.dumps(workflow)), known, folders).workflow == workflow
    named = with_comment("JPEG", unicode_comment(f"prompt:{json.dumps(prompt)}"))
    for data in (png("prompt", json.dumps(prompt)), named, json.dumps(prompt).encode()):
        (node,) = opened(data, known, folders).workflow["nodes"]
        assert node["type"] == "EmptyImage"


@pytest.mark.parametrize("data", [b"", b"a text", b"\x89PNG", b"{", png("title", "x"), b"[1, 2]"])
def test_a_file_without_a_graph_is_refused(data: bytes, known: Registry, folders: Folders):
    with pytest.raises(PromptError, match="carries no graph"):
        opened(data, known, folders)


@given(st.text(), st.sampled_from(["utf-16-be", "utf-16-le"]))
def test_any_comment_of_a_user_can_be_read(text: str, order: str):
    body = text.encode(order, errors="replace")
    comment_text(b"UNICODE\0" + body)
    comment_text(body)


@given(st.text(), st.text(alphabet='abc:,"\\<>[]()1x \n', max_size=60))
def test_no_text_breaks_the_reader(before: str, after: str):
    text = f"{before}\nSteps: 5, {after}"
    if is_infotext(text):
        read_infotext(text)
    assert is_infotext(A1111)
