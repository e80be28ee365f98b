"""Nodes of the newer kind, which describe themselves by a schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.compat.declared import Misdeclared
from engine.compat.standins.comfy_io import ComfyExtension, ComfyNode, Schema, comfy_io
from engine.compat.v3 import as_v1, newer_classes
from engine.graph.errors import PromptError
from engine.run.events import NodeFailed
from tests.compat.conftest import loaded
from tests.compat.test_values import shown, shown_by
from tests.run.conftest import Opener, n

MIXED = n("V3Mixed", count=2, strength=0.5, on=True, mode="b")


@pytest.mark.usefixtures("_clean")
def test_a_schema_is_told_as_clients_know_it(tmp_path: Path):
    packs, _, _ = loaded(tmp_path)
    told = packs.declared["V3Mixed"].object_info
    assert told["input"]["required"] == {
        "count": ["INT", {"default": 3, "min": 0, "max": 10, "display": "slider"}],
        "strength": ["FLOAT", {"default": 1.0, "step": 0.01}],
        "on": ["BOOLEAN", {"default": True}],
        "mode": ["COMBO", {"options": ["a", "b"]}],
    }
    assert told["input"]["optional"] == {
        "text": ["STRING", {"multiline": True, "tooltip": "a text"}],
        "either": ["INT,FLOAT", {}],
    }
    assert told["input"]["hidden"] == {"unique_id": ["UNIQUE_ID"], "prompt": ["PROMPT"]}
    assert (told["output"], told["output_name"]) == (["STRING", "INT"], ["STRING", "INT"])
    assert told["output_tooltips"] == ["all of it", None]
    assert (told["display_name"], told["category"]) == ("Mixed", "v3")


async def test_nodes_of_the_newer_kind_run_choose_and_expand(local: Opener):
    bench = await local()
    assert await shown(bench, shown_by(MIXED)) == ["2 0.5 True b none None True"]
    prompt = {
        "1": MIXED,
        "2": n("V3Choose", first=True, one=["1", 0], two=["3", 0]),
        "3": n("V1Fail", value=1, text=""),
        "out": n("V1Show", value=["2", 0]),
    }
    assert await shown(bench, prompt) == ["2 0.5 True b none None True"]
    (text,) = await shown(bench, shown_by(n("V3Again", count=4)))
    assert text.startswith("4 0.5 False b")


async def test_a_node_of_the_newer_kind_blocks_what_follows(local: Opener):
    bench = await local()
    prompt = {**shown_by(n("V3Again", count=6)), "free": n("V1Show", value="here")}
    id = await bench.submit(prompt)
    entry = await bench.ended(id)
    assert entry.outcome.shown == {"free": {"text": ["here"]}}
    (told,) = [event.failure for event in bench.events(id) if isinstance(event, NodeFailed)]
    assert "too often" in told.message


async def test_a_node_of_the_newer_kind_judges_its_inputs(local: Opener):
    bench = await local()
    with pytest.raises(PromptError) as refused:
        await bench.submit(shown_by(n("V3Mixed", count=7, strength=1, on=True, mode="a")))
    assert "seven is too many" in str(refused.value.node_errors)


async def test_what_a_node_of_the_newer_kind_shows_is_used_again(local: Opener):
    bench = await local()
    first = await bench.run({"1": n("V3Shown", text="one")})
    assert first.outcome.shown["1"]["text"] == ["one"]
    assert [image["type"] for image in first.outcome.shown["1"]["images"]] == ["temp"]
    again = await bench.run({"1": n("V3Shown", text="one")})
    assert (again.outcome.shown, again.outcome.cached) == (first.outcome.shown, ["1"])


def test_sockets_are_made_as_packs_write_them():
    io = comfy_io("io")
    assert io.Combo.Input("mode", ["x"], upload=io.UploadType.image).as_v1() == (
        "COMBO",
        {"options": ["x"], "image_upload": True},
    )
    assert io.Image.Input("image", "A picture", True).optional
    assert io.Int.Input("i", force_input=True, extra_dict={"own": 1}).options == {
        "forceInput": True,
        "own": 1,
    }
    widget = io.MultiType.Input(io.Float.Input("f", default=1.0), [io.Image])
    assert widget.as_v1() == ("FLOAT,IMAGE", {"default": 1.0})
    template = io.MatchType.Template("T")
    assert io.MatchType.Input("any", template=template, lazy=True).io_type == "*"
    everything = Schema("All", accept_all_inputs=True).input_types()["optional"]
    assert "whatever" not in everything
    with pytest.raises(Exception, match=r"io\.Autogrow"):
        io.Autogrow.Input("more")
    with pytest.raises(AttributeError, match="Nothing"):
        io.Nothing()


def test_what_is_no_node_is_one_clear_error():
    class Empty(ComfyNode):
        """Has no schema."""

    async def bad_entrypoint() -> str:
        return "no extension"

    assert newer_classes(ComfyExtension) == {}
    with pytest.raises(Misdeclared, match="no ComfyExtension"):
        newer_classes(bad_entrypoint)
    with pytest.raises(Misdeclared, match=r"no io\.ComfyNode"):
        as_v1(int)
    with pytest.raises(NotImplementedError, match="Empty has no define_schema"):
        as_v1(Empty)


@pytest.mark.usefixtures("_clean")
def test_a_script_that_comes_before_runs_before_and_may_fail(tmp_path: Path):
    packs = tmp_path / "packs"
    for name, script in (("good", "(Path(__file__).parent / 'ran').touch()"), ("bad", "1 / 0")):
        (packs / name).mkdir(parents=True)
        (packs / name / "prestartup_script.py").write_text(f"from pathlib import Path\n{script}\n")
        (packs / name / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    first = packs / "a_first"
    first.mkdir()
    seen = "from pathlib import Path\nassert (Path(__file__).parent.parent / 'good/ran').exists()\n"
    (first / "__init__.py").write_text(f"{seen}NODE_CLASS_MAPPINGS = {{}}\n")
    _, registry, _ = loaded(tmp_path / "home", packs)
    assert registry.failures == {"bad: prestartup_script.py": "ZeroDivisionError: division by zero"}
