"""What the service fills in when a prompt is submitted: names of files, texts that change."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from PIL import Image

from tests.conftest import Service
from tests.server.conftest import Caller

Prompt = dict[str, Any]


def prompt(prefix: Any, text: str = "a cat", color: int = 0) -> Prompt:
    """A picture saved under a name, beside a seed and a text."""
    size = {"width": 16, "height": 8, "batch_size": 1, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": size, "_meta": {"title": "The canvas"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": prefix}},
        "3": {"class_type": "PrimitiveStringMultiline", "inputs": {"value": text}},
        "4": {"class_type": "RandomNoise", "inputs": {"noise_seed": 7}},
        "5": {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["6", 1]}},
        "6": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "demo"}},
        "7": {"class_type": "PreviewAny", "inputs": {"source": ["5", 0]}},
    }


async def ended(call: Caller, prompt: Prompt, **more: Any) -> Prompt:
    """The history of a job that ran."""
    async with call.ear("me") as ear:
        id = await call.submit(prompt, client_id="me", **more)
        await ear.over(id)
    _, history = await call.get(f"/history/{id}")
    return history[id]


def saved(entry: Prompt) -> str:
    (file,) = entry["outputs"]["2"]["images"]
    return f"{file['subfolder']}/{file['filename']}"


def sent(entry: Prompt) -> str:
    """The text that ran."""
    return entry["prompt"][2]["5"]["inputs"]["text"]


async def test_a_name_is_filled_in_and_the_workflow_keeps_its_pattern(
    call: Caller, service: Service
):
    pattern = "%date:yyyy%/%The canvas.width%_%RandomNoise.noise_seed%_%height%"
    drawn = {"nodes": [{"id": 2, "type": "SaveImage", "widgets_values": [pattern]}], "links": []}
    entry = await ended(call, prompt(pattern), extra_data={"extra_pnginfo": {"workflow": drawn}})
    year = datetime.now().astimezone().year
    assert saved(entry) == f"{year}/16_7_8_00001_.png"
    assert "warnings" not in entry["outputs"]["2"]
    with Image.open(service.home / "output" / saved(entry)) as picture:
        assert json.loads(picture.info["workflow"]) == drawn
        assert json.loads(picture.info["prompt"])["2"]["inputs"]["filename_prefix"] == (
            f"{year}/16_7_%height%"
        )


async def test_another_value_is_another_file_though_the_picture_is_the_same(call: Caller):
    names = set[str]()
    for seed in (1, 2):
        asked = prompt("again_%RandomNoise.noise_seed%", color=5)
        asked["4"]["inputs"]["noise_seed"] = seed
        names.add(saved(await ended(call, asked)))
    assert names == {"/again_1_00001_.png", "/again_2_00001_.png"}


async def test_a_name_that_comes_over_a_link_is_filled_in_too(call: Caller):
    asked = prompt(["3", 0], "linked_%The canvas.width%_%Nobody.width%", color=9)
    entry = await ended(call, asked)
    assert saved(entry) == "/linked_16_%Nobody.width%_00001_.png"
    (warning,) = entry["outputs"]["2"]["warnings"]
    assert "%Nobody.width%" in warning


async def test_a_text_is_chosen_once_by_the_seed_where_nobody_has_chosen(call: Caller):
    text = "{a|b|c|d|e|f} // gone"
    made = [
        (await ended(call, prompt("t", text)))["prompt"][2]["5"]["inputs"]["text"] for _ in "12"
    ]
    assert made[0] == made[1]
    assert made[0] in {f"{letter} " for letter in "abcdef"}
    workflow: Prompt = {"extra_pnginfo": {"workflow": {"nodes": [], "links": []}}}
    plain: Prompt = {"dynamic_prompts": False}
    for extra in (workflow, plain):
        assert sent(await ended(call, prompt("t", text), extra_data=extra)) == text
