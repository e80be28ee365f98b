"""Packs that derive from the program's own nodes, or call them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.authoring.registry import Registry
from engine.compat.inner import NothingRuns
from engine.compat.standins.core_nodes import METHODS, ORDERS, core_nodes
from engine.graph.errors import PromptError
from engine.run.events import NodePreview, NodeProgress
from engine.store.folders import Folders
from tests.compat.test_values import shown, shown_by
from tests.run.conftest import Bench, Opener, n

PICTURE = n("EmptyImage", width=8, height=8, batch_size=2, color=0xFF0000)
CHECKPOINT = n("CheckpointLoaderSimple", ckpt_name="demo")


@pytest.fixture(scope="module")
def classes() -> dict[str, Any]:
    """What packs find in `nodes`."""
    registry = Registry.installed()
    return core_nodes(registry, Folders(Path("/nowhere"), registry.bundled))


def test_every_node_is_there_under_its_name(classes: dict[str, Any]):
    registry = Registry.installed()
    assert set(classes["NODE_CLASS_MAPPINGS"]) == set(registry.nodes)
    assert classes["NODE_DISPLAY_NAME_MAPPINGS"]["SaveImage"] == "Save Image"
    for id, spec in registry.nodes.items():
        kind = classes[id]
        assert callable(getattr(kind, kind.FUNCTION)), id
        assert tuple(output.type for output in spec.outputs) == kind.RETURN_TYPES
        assert [*kind.INPUT_TYPES()["required"]] == [i.name for i in spec.inputs if not i.optional]


def test_names_that_packs_know_are_those_of_nodes(classes: dict[str, Any]):
    for id in METHODS:
        assert hasattr(classes[id], METHODS[id])
    for id, order in ORDERS.items():
        assert set(order) == set(classes[id].INPUT_TYPES()["required"])


def test_input_types_are_made_anew_so_that_a_pack_may_change_them(classes: dict[str, Any]):
    kind = classes["KSampler"]
    kind.INPUT_TYPES()["required"]["steps"][1]["default"] = 1
    kind.INPUT_TYPES()["required"].clear()
    assert kind.INPUT_TYPES()["required"]["steps"][1]["default"] == 20
    assert kind.INPUT_TYPES()["required"]["sampler_name"][0][0] == "euler"


def test_a_node_that_needs_no_job_can_be_called_anywhere(classes: dict[str, Any]):
    assert classes["PrimitiveInt"]().run(5) == (5,)
    assert classes["StringLength"]().run(string="abc") == (3,)
    flat = {"expression": "a+b", "values.a": 1, "values.b": 2}
    assert classes["ComfyMathExpression"]().run(**flat) == (3.0, 3, True)
    with pytest.raises(NothingRuns, match="LoadImage can be called only while a node runs"):
        classes["LoadImage"]().load_image("x.png")
    with pytest.raises(TypeError, match="StringLength takes string; 2 values were given"):
        classes["StringLength"]().run("a", "b")


async def test_what_derives_from_a_node_that_saves_says_where_and_how(local: Opener):
    bench = await local()
    prompt = {
        "1": PICTURE,
        "2": n("V1SaveLoudly", images=["1", 0], filename_prefix="a/b", loudness=2),
    }
    seen = (await bench.run(prompt)).outcome.shown["2"]
    assert seen["text"] == ["temp", "temp"]
    for file in seen["images"]:
        assert (file["subfolder"], file["type"]) == ("a", "temp")
        assert re.fullmatch(r"b!!_loud_\d{5}_\.png", file["filename"])
    path = bench.engine.folders.root("temp") / "a" / seen["images"][0]["filename"]
    with Image.open(path) as file:
        assert json.loads(file.info["prompt"]) == prompt


async def test_what_a_pack_wants_kept_in_a_file_is_kept(local: Opener):
    bench = await local()
    prompt = {"1": PICTURE, "2": n("V1SaveWithoutGraph", images=["1", 0], filename_prefix="x")}
    await bench.run(prompt, extra={"extra_pnginfo": {"workflow": 5}})
    with Image.open(bench.engine.folders.root("output") / "x_00001_.png") as file:
        assert file.info["note"] == '"mine"'
        assert json.loads(file.info["prompt"]) is None
        assert "workflow" not in file.info


async def test_nothing_is_saved_outside_of_the_home(local: Opener):
    bench = await local()
    prompt = {"1": PICTURE, "2": n("V1SaveElsewhere", images=["1", 0], filename_prefix="x")}
    failure = (await bench.run(prompt)).outcome.failure
    assert failure is not None
    assert "output_dir: 'nowhere' is outside of the folders of this home" in failure.message


async def test_a_class_that_changes_nothing_does_the_same(local: Opener):
    bench = await local()
    entry = await bench.run({"1": PICTURE, "2": n("V1ShowAll", images=["1", 0])})
    assert [file["type"] for file in entry.outcome.shown["2"]["images"]] == ["temp", "temp"]


async def test_pictures_are_loaded_checked_and_noticed_when_they_change(local: Opener):
    bench = await local()
    path = bench.engine.folders.root("input") / "x.png"
    prompt = {
        "1": n("V1LoadTwice", image="x.png"),
        "2": n("GetImageSize", image=["1", 0]),
        "out": n("V1Show", value=["2", 2]),
        "w": n("V1Show", value=["2", 0]),
    }
    with pytest.raises(PromptError) as refused:
        await bench.submit(prompt)
    told = refused.value.node_errors["1"].errors[0]
    assert "there is no file 'x.png'" in told.details
    for width in (8, 16):
        Image.new("RGB", (width, 8)).save(path)
        entry = await bench.run(prompt)
        assert entry.outcome.shown["out"]["text"] == ["2"]
        assert entry.outcome.shown["w"]["text"] == [str(width)]


@pytest.mark.parametrize(
    ("name", "given", "made"),
    [
        ("StringConcatenate", {"string_a": "a", "string_b": "b", "delimiter": "-"}, ["a-b"]),
        ("V1Add", {"a": 1, "b": 2}, ["3"]),
        ("PreviewAny", {"source": "x"}, ["ui", "result"]),
    ],
)
async def test_nodes_are_called_by_name(
    local: Opener, name: str, given: dict[str, Any], made: list[str]
):
    bench = await local()
    source = n("V1Called", name=name, given=json.dumps(given))
    (text,) = await shown(bench, shown_by(source))
    assert json.loads(text) == made


async def test_an_async_node_is_awaited(local: Opener):
    bench = await local()
    assert await shown(bench, shown_by(n("V1Waits", first=False))) == ["2"]


async def pixels(bench: Bench, draws: dict[str, Any], name: str) -> tuple[bytes, str]:
    """The picture that a node draws, and its job."""
    prompt = {
        "m": CHECKPOINT,
        "1": draws,
        "2": n("SaveImage", images=["1", 0], filename_prefix=name),
    }
    id = await bench.submit(prompt, extra={"preview_method": "auto"})
    entry = await bench.ended(id)
    assert entry.outcome.status == "success", entry.outcome
    with Image.open(bench.engine.folders.root("output") / f"{name}_00001_.png") as file:
        return file.tobytes(), id


async def test_a_pack_draws_by_the_programs_nodes_what_they_draw_themselves(local: Opener):
    bench = await local()
    own = {
        "m": CHECKPOINT,
        "p": n("CLIPTextEncode", text="a red circle", clip=["m", 1]),
        "n": n("CLIPTextEncode", text="", clip=["m", 1]),
        "e": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "k": n(
            "KSampler", model=["m", 0], seed=1, steps=4, cfg=2.0, sampler_name="euler",
            scheduler="normal", positive=["p", 0], negative=["n", 0], latent_image=["e", 0],
            denoise=1.0,
        ),
        "d": n("VAEDecode", samples=["k", 0], vae=["m", 2]),
        "s": n("SaveImage", images=["d", 0], filename_prefix="own"),
    }  # fmt: skip
    await bench.run(own)
    with Image.open(bench.engine.folders.root("output") / "own_00001_.png") as file:
        expected = file.tobytes()
    links = {"model": ["m", 0], "clip": ["m", 1], "vae": ["m", 2]}
    ways = ("class", "function", "steps", "noise", "object")
    for way, given in (("class", {}), *((way, links) for way in ways)):
        name = f"{way}{len(given)}"
        made, id = await pixels(
            bench, n("V1Draws", text="a red circle", way=way, seed=1, **given), name
        )
        assert made == expected, name
        told = bench.events(id)
        assert any(isinstance(e, NodeProgress) and e.total == 4 for e in told) or way == "steps"
        assert any(isinstance(e, NodePreview) for e in told)


async def test_a_model_that_is_in_use_otherwise_is_loaded_once_more(local: Opener):
    bench = await local()
    prompt = {
        "m": CHECKPOINT,
        "1": n("V1TwoLayers", clip=["m", 1]),
        "c": n("CLIPSetLastLayer", clip=["m", 1], stop_at_clip_layer=-2),
        "e": n("CLIPTextEncode", clip=["c", 0], text="a"),
        "a": n("PreviewAny", source=["1", 0]),
        "b": n("PreviewAny", source=["1", 1]),
        "x": n("PreviewAny", source=["e", 0]),
    }
    seen = (await bench.run(prompt)).outcome.shown
    assert seen["b"] == seen["x"]
    assert seen["a"] != seen["b"]
