"""comfy-cli, the command line of ComfyUI's makers, against our service."""

from __future__ import annotations

import io
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.clients.conftest import Comfy, Said
from tests.clients.drawings import flipped, plain, slow, workflow
from tests.conftest import Service
from tests.server.conftest import Caller, node


def written(comfy: Comfy, document: dict[str, Any]) -> Path:
    """A file for it to read."""
    path = comfy.home / f"{uuid.uuid4().hex}.json"
    path.write_text(json.dumps(document))
    return path


def run(comfy: Comfy, document: dict[str, Any], *flags: str) -> Said:
    return comfy("run", "--workflow", written(comfy, document), *flags)


def types(said: Said) -> list[str]:
    return [event["type"] for event in said.events]


def test_a_prompt_runs_and_its_picture_is_fetched(comfy: Comfy, tmp_path: Path):
    said = run(comfy, flipped("red"), "--wait")
    assert (said.code, said.data["status"]) == (0, "completed")
    assert types(said)[:2] == ["prompt_preview", "queued"]
    assert {"executing", "executed", "output"} <= set(types(said))
    assert sorted(said.data["executed_node_ids"]) == ["1", "2", "3"]
    fetched = comfy("download", said.data["prompt_id"], "--out-dir", tmp_path)
    (file,) = fetched.data["files"]
    with Image.open(file["path"]) as picture:
        assert picture.convert("RGB").getpixel((0, 0)) == (0, 255, 255)


def test_what_is_cached_is_told_as_cached(comfy: Comfy):
    first, again = (run(comfy, flipped("blue"), "--wait") for _ in range(2))
    assert first.data["cached_node_ids"] == []
    assert sorted(again.data["cached_node_ids"]) == ["1", "2", "3"]
    assert again.data["outputs"] == first.data["outputs"]


async def test_a_workflow_of_the_editor_becomes_the_prompt_that_we_make_of_it(
    comfy: Comfy, call: Caller
):
    document = workflow()
    shown = run(comfy, document, "--print-prompt")
    (theirs,) = (event["prompt"] for event in shown.events if event["type"] == "prompt_preview")
    status, ours = await call.post("/workflow/convert", document)
    assert status == 200
    assert plain(theirs) == plain(ours)
    said = run(comfy, document, "--wait")
    assert said.data["status"] == "completed"
    async with call.session.get(said.data["outputs"][0]) as got:
        with Image.open(io.BytesIO(await got.read())) as picture:
            assert picture.size == (48, 32)


def test_a_failure_names_the_node(comfy: Comfy):
    prompt = {
        "1": {"class_type": "Divide", "inputs": {"a": 1, "b": 0}},
        "2": node("Show", value=["1", 0]),
    }
    said = run(comfy, prompt, "--wait")
    assert (said.code, said.error["code"]) == (1, "execution_error")
    details = said.error["details"]
    assert (details["node_id"], details["node_type"]) == ("1", "Divide")
    assert "modulo by zero" in details["exception_message"]


def test_a_job_is_watched_listed_and_cancelled(comfy: Comfy):
    short = run(comfy, slow(0.5)).data["prompt_id"]
    watched = comfy("jobs", "watch", short)
    assert watched.data["status"] == "completed"
    assert comfy("jobs", "status", short).data["status"] == "completed"
    long = run(comfy, slow(600)).data["prompt_id"]
    listed = {job["prompt_id"]: job["status"] for job in comfy("jobs", "ls").data["jobs"]}
    assert (listed[short], long in listed) == ("completed", True)
    assert comfy("jobs", "cancel", long).data["found"] is True
    waited = comfy("jobs", "wait", long, "--poll-interval", "0.2")
    assert (waited.error["code"], waited.error["details"]["cancelled"]) == ("cancelled", 1)
    assert comfy("jobs", "status", long).data["status"] == "cancelled"
    lost = comfy("jobs", "cancel", str(uuid.uuid4()))
    assert lost.error["code"] == "prompt_not_found"


async def test_a_job_of_another_client_can_be_watched(comfy: Comfy, call: Caller):
    id = await call.submit(slow(2), client_id="another")
    watched = comfy("jobs", "watch", id)
    assert watched.data["status"] == "completed"


def test_an_uploaded_picture_can_be_used(comfy: Comfy, tmp_path: Path, service: Service):
    Image.new("RGB", (40, 30), "navy").save(tmp_path / "sea.png")
    said = comfy("upload", tmp_path / "sea.png")
    (upload,) = said.data["uploads"]
    assert (upload["cloud_name"], upload["type"]) == ("sea.png", "input")
    assert (service.home / "input" / "sea.png").is_file()
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "sea.png"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    assert run(comfy, prompt, "--wait").data["status"] == "completed"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["system-stats"], "comfyui_version"),
        (["free", "--free-memory"], "free_memory"),
        (["nodes", "ls", "--category", "image"], "ImageInvert"),
        (["nodes", "show", "KSampler"], "sampler_name"),
        (["nodes", "search", "invert"], "ImageInvert"),
        (["nodes", "upstream", "VAEDecode"], "KSampler"),
        (["nodes", "downstream", "CheckpointLoaderSimple"], "KSampler"),
        (["nodes", "path", "MODEL", "IMAGE"], "VAEDecode"),
        (["nodes", "types"], "CONDITIONING"),
        (["nodes", "categories"], "image"),
        (["nodes", "widget-catalog"], "ImageInvert"),
        (["model", "list-folders"], "checkpoints"),
        (["model", "list-folder", "checkpoints"], "demo"),
        (["model", "search", "--text", "demo"], "demo"),
    ],
    ids=" ".join,
)
def test_what_there_is_is_told(comfy: Comfy, arguments: list[str], expected: str):
    said = comfy(*arguments)
    assert (said.code, said.ok) == (0, True), said.error
    assert expected in json.dumps(said.data)


def workflows_kept(comfy: Comfy) -> set[str]:
    """Names of the workflows on the service; tests of others may have kept some, too."""
    return {kept["name"] for kept in comfy("workflow", "list").data["workflows"]}


def test_workflows_are_kept_on_the_service(comfy: Comfy, tmp_path: Path):
    document = workflow()
    assert comfy("workflow", "save", written(comfy, document), "--name", "mine").ok
    assert "mine.json" in workflows_kept(comfy)
    assert comfy("workflow", "get", "mine.json", "--out", tmp_path / "mine.json").ok
    assert json.loads((tmp_path / "mine.json").read_text())["nodes"] == document["nodes"]
    assert comfy("workflow", "delete", "mine.json").ok
    assert "mine.json" not in workflows_kept(comfy)


def test_a_prompt_is_validated_against_our_nodes(comfy: Comfy):
    assert comfy("workflow", "validate", "--workflow", written(comfy, flipped("red"))).ok
    wrong = flipped("red")
    wrong["1"]["inputs"]["width"] = 0
    said = comfy("workflow", "validate", "--workflow", written(comfy, wrong))
    assert "below_min" in json.dumps([said.data, said.error])
