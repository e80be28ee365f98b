"""Each bundled workflow says what it is, converts without loss, and runs as it is."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.authoring.registry import Registry
from engine.client import Client
from engine.client.updates import Result
from engine.graph.canvas import to_workflow
from engine.graph.workflow import to_prompt
from tests import bundled
from tests.conftest import Service, start_service
from tests.models.tiny_files import write_lora, write_sd1

CATEGORIES = {"picture", "voice", "compare", "blocks"}
LARGEST_PICTURE = 25_000
VOICE = "Kokoro voice"
SOUNDS = {".wav", ".mp3"}
soundfile: Any = import_module("soundfile")  # has no type stubs
FEW_STEPS = 2
QUIET = 0.01
MADE = {"checkpoints": write_sd1, "loras": write_lora}
"""What stands in a test for models that are pulled, by their folder."""


def about(name: str) -> dict[str, Any]:
    return bundled.document(name)["extra"]["soundstage"]


def numbered(prompt: bundled.Prompt) -> bundled.Prompt:
    """The same prompt with ids in order; a layout has no others."""
    names = {id: str(place) for place, id in enumerate(prompt)}

    def renamed(value: Any) -> Any:
        match value:
            case [str() as id, int() as slot] if id in names:
                return [names[id], slot]
            case _:
                return value

    return {
        names[id]: node | {"inputs": {name: renamed(v) for name, v in node["inputs"].items()}}
        for id, node in prompt.items()
    }


@pytest.fixture(scope="module")
def registry() -> Registry:
    return bundled.registry()


@pytest.mark.parametrize("name", bundled.NAMES)
def test_it_says_what_it_is_and_asks_for_what_is_there(name: str):
    told = about(name)
    assert told["title"]
    assert told["words"].endswith(".")
    assert told["category"] in CATEGORIES
    assert told["seconds"] > 0
    prompt = bundled.prompt(name)
    for ask in told["form"]["first"] + told["form"]["settings"]:
        assert ask["name"]
        assert not isinstance(prompt[ask["node"]]["inputs"][ask["input"]], list)
    with Image.open(bundled.FOLDER / f"{name}.jpg") as picture:
        assert picture.size == (256, 256)
    assert (bundled.FOLDER / f"{name}.jpg").stat().st_size <= LARGEST_PICTURE


@pytest.mark.parametrize("name", bundled.NAMES)
def test_its_prompt_laid_out_anew_is_the_same_prompt(name: str, registry: Registry):
    prompt = bundled.prompt(name)
    assert numbered(to_prompt(to_workflow(prompt, registry), registry)) == numbered(prompt)


def sources(document: dict[str, Any]) -> list[dict[str, str]]:
    """Where the models come from that a workflow names and that do not ship with the package."""
    nodes: list[dict[str, Any]] = document["nodes"]
    return [source for node in nodes for source in node["properties"].get("models", ())]


def test_models_that_do_not_ship_can_be_pulled_and_their_licences_are_told():
    documents = {name: bundled.document(name) for name in bundled.NAMES}
    assert {name for name, document in documents.items() if sources(document)} == {"lcm"}
    for source in sources(documents["lcm"]):
        assert source["url"].startswith("https://huggingface.co/")
        assert source["url"].endswith(".safetensors")
        used = [node["inputs"].values() for node in bundled.prompt("lcm").values()]
        assert any(source["name"] in values for values in used)
    (note,) = [node for node in documents["lcm"]["nodes"] if node["type"] == "Note"]
    (line,) = [line for line in note["widgets_values"][0].splitlines() if "Licences" in line]
    assert line.count("RAIL") == 2


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service in a fresh home; the voice's models are linked into it where a test has them."""
    service = start_service(tmp_path_factory.mktemp("home"))
    yield service
    service.stop()


@pytest.mark.parametrize("name", bundled.NAMES)
async def test_it_runs_as_it_is(name: str, quick: Service, request: pytest.FixtureRequest):
    if VOICE in about(name)["needs"]:
        models: Path = request.getfixturevalue("models_home")
        place = quick.home / "models" / "kokoro"
        if not place.is_symlink():
            place.rmdir()
            place.symlink_to(models / "kokoro")
    document, prompt = bundled.document(name), bundled.prompt(name)
    for source in sources(document):
        MADE[source["directory"]](quick.home / "models" / source["directory"] / source["name"])
    for node in prompt.values():
        if isinstance(node["inputs"].get("steps"), int):
            node["inputs"]["steps"] = FEW_STEPS
        if node["class_type"] == "KokoroSpeak" and isinstance(node["inputs"]["text"], str):
            node["inputs"]["text"] = "Hello."
    async with Client(quick.url) as client:
        assert (await client.convert(document)).keys() == prompt.keys()
        *_, ended = [update async for update in client.run(prompt)]
        assert isinstance(ended, Result)
        assert ended.failure is None
        assert ended.status == "success"
        assert ended.files
        for file in ended.files:
            path = quick.home / file.type / file.subfolder / file.filename
            if path.suffix in SOUNDS:
                samples = soundfile.read(BytesIO(path.read_bytes()))[0]
                assert np.abs(samples).max() > QUIET
            else:
                with Image.open(path) as picture:
                    assert np.asarray(picture.convert("RGB")).std() > 1
