"""Packs in a worker process of its own: what the server knows of them, and what it survives."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import struct
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from engine.authoring.custom_nodes import CustomNodesUnavailable
from engine.graph.errors import PromptError
from engine.run.engine import Engine
from engine.run.remote_nodes import CustomNodePacks, RemoteCustomNodes
from tests import patience
from tests.compat.conftest import LOADER, PACKS, patient
from tests.compat.test_values import shown, shown_by
from tests.conftest import Service, start_service
from tests.run.conftest import Bench, Opener, n
from tests.run.test_crashes import worker_pid
from tests.server.conftest import Caller

HANGING = """
import time
time.sleep(600)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service with the V1 packs for all tests of this module."""
    home = tmp_path_factory.mktemp("home")
    (home / "input").mkdir()
    (home / "input" / "first.txt").write_text("x")
    started = start_service(home, "--custom-nodes", str(PACKS))
    yield started
    started.stop()


@pytest.fixture
async def call(service: Service) -> AsyncGenerator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(service, session)


async def test_the_first_request_finds_every_node(call: Caller):
    status, info = await call.get("/object_info")
    assert status == 200
    assert {"V1Number", "V1Greeting", "EmptyImage"} <= set(info)
    assert info["V1Number"] == {
        "input": {
            "required": {"value": ["INT", {"default": 0, "min": -1000, "max": 1000}]},
            "optional": {"log": ["STRING", {"default": ""}]},
        },
        "input_order": {"required": ["value"], "optional": ["log"]},
        "output": ["INT"],
        "output_is_list": [False],
        "output_name": ["INT"],
        "name": "V1Number",
        "display_name": "A number",
        "description": "Gives its number.",
        "python_module": "custom_nodes.workbench",
        "category": "v1/values",
        "output_node": False,
        "output_tooltips": ["the number"],
    }
    assert info["V1Add"]["deprecated"] is True
    assert info["V1Add"]["output_name"] == ["sum"]
    assert info["V1Together"]["is_input_list"] is True
    assert info["V1Together"]["input"]["hidden"] == {"node": "UNIQUE_ID"}
    assert info["EmptyImage"]["python_module"].startswith("nodes.")


async def test_one_node_can_be_asked_for(call: Caller):
    _, info = await call.get("/object_info/V1Greeting")
    assert info["V1Greeting"]["input"]["required"] == {"name": ["STRING", {"default": "you"}]}


async def test_choices_follow_the_files_and_so_does_the_etag(call: Caller, service: Service):
    _, before = await call.get("/object_info/V1Pick")
    (service.home / "input" / "second.txt").write_text("x")
    _, after = await call.get("/object_info/V1Pick")
    assert before["V1Pick"]["input"]["required"]["file"][0] == ["first.txt"]
    assert after["V1Pick"]["input"]["required"]["file"][0] == ["first.txt", "second.txt"]
    tags: list[str] = []
    for name in ("third.txt", "fourth.txt"):
        (service.home / "input" / name).write_text("x")
        async with call.session.get(service.url + "/object_info") as answer:
            tags.append(answer.headers["ETag"])
    assert tags[0] != tags[1]
    unchanged = {"If-None-Match": tags[1]}
    async with call.session.get(service.url + "/object_info", headers=unchanged) as answer:
        assert answer.status == 304


async def test_packs_that_cannot_be_loaded_are_told_of_and_the_others_load(call: Caller):
    await call.get("/object_info")
    failures: dict[str, str] = {}
    async with asyncio.timeout(patience.SECONDS):
        while not failures:
            await asyncio.sleep(0.01)
            _, stats = await call.get("/system_stats")
            failures = stats["failures"]
    assert failures == {
        "broken": "ModuleNotFoundError: No module named 'no_such_module_anywhere'",
        "careless: EmptyImage": "the service itself has a node of this name",
        "careless: V1BareType": (
            "has RETURN_TYPES = 'INT'; write a tuple: (\"IMAGE\",), or () for none"
        ),
        "careless: V1NoSuchMethod": "has FUNCTION = 'walk', but no such method",
        "careless: V1Nothing": "has no FUNCTION, the name of the method that runs it",
        "careless: V1OddInput": ('has input \'value\' = 5; write ("INT", {...}) or (["a", "b"],)'),
        "careless: V1Raises": "RuntimeError: the disk is not there",
        "empty": "has no NODE_CLASS_MAPPINGS, a dict of names to classes",
        "newer: Growing": (
            "NotUnderstood: io.Autogrow: inputs that a prompt makes are not here for packs"
        ),
        "odd: V1Endless": "Endless: a list has over 1000000 items, or no end",
        "odd: V1NoText": "RuntimeError: it has no text",
        "quits": "SystemExit: 3",
    }


async def test_a_prompt_that_names_a_node_which_was_left_out_is_told_why(call: Caller):
    status, answer = await call.post("/prompt", {"prompt": {"1": n("V1Raises")}})
    assert (status, answer["error"]["type"]) == (400, "invalid_prompt")
    assert answer["error"]["message"] == (
        "Cannot execute because node V1Raises does not exist: its declaration in the node pack "
        "careless cannot be used: RuntimeError: the disk is not there"
    )


async def test_odd_declarations_that_make_sense_are_nodes(call: Caller):
    status, info = await call.get("/object_info")
    assert status == 200
    odd = info["V1Numbers"]
    far = 0xFFFFFFFFFFFFFFFFFFFF
    assert odd["input"]["required"]["whole"][1] == {
        "default": 0,
        "min": -far,
        "max": far,
        "step": 0,
    }
    assert odd["input"]["required"]["real"] == ["FLOAT", {"default": 0, "max": 9.5}]
    assert odd["input"]["required"]["text"] == ["STRING", {"default": 5, "min": 0}]
    assert odd["display_name"] == "V1Numbers"
    given = {"whole": -far, "size": 1, "real": 0.5, "text": "x", "kind": "large", "both": 1}
    prompt = {"1": n("V1Numbers", **given, anything=2, **{"7": 3})}
    async with call.ear("odd") as ear:
        id = await call.submit(prompt, client_id="odd")
        await ear.over(id)
    _, history = await call.get(f"/history/{id}")
    assert f"whole={-far}" in history[id]["outputs"]["1"]["text"]


async def test_scripts_of_packs_are_listed_and_served(call: Caller):
    assert await call.get("/extensions") == (200, ["/extensions/workbench/hello.js"])
    status, script = await call.get("/extensions/workbench/hello.js")
    assert (status, "hello" in script) == (200, True)
    assert (await call.get("/extensions/workbench/hello.css"))[0] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("workbench/none.js", 404),
        ("nobody/hello.js", 404),
        ("workbench/..%2f__init__.py", 403),
        ("workbench/%2e%2e/%2e%2e/single.py", 403),
        ("workbench/", 404),
    ],
)
async def test_nothing_else_is_served_as_a_script(call: Caller, path: str, status: int):
    assert (await call.get(f"/extensions/{path}"))[0] in (status, 404)


async def test_a_prompt_runs_and_its_messages_reach_its_client(call: Caller):
    async with call.ear("me") as ear, call.ear("you") as other:
        prompt = shown_by(n("V1Tell", text="hello"))
        id = await call.submit(prompt, client_id="me")
        said = await ear.until("workbench.said")
        await ear.over(id)
        await other.nothing_more()
    assert said == {"text": "hello", "many": [1, 2]}
    assert ear.frames == [struct.pack(">II", 3, 1) + b"1" + b"at work: hello"]
    assert "workbench.said" not in [type for type, _ in other.heard]
    _, history = await call.get(f"/history/{id}")
    assert history[id]["outputs"]["out"]["text"] == ["me"]


@pytest.mark.parametrize(("format", "least"), [("PNG", 3), ("JPEG", 1)])
async def test_pictures_that_a_node_sends_arrive_as_they_are(call: Caller, format: str, least: int):
    prompt = {
        "1": n("EmptyImage", width=8, height=8, batch_size=3, color=255),
        "2": n("V1Picture", images=["1", 0], format=format),
    }
    async with call.ear("p") as ear:
        await ear.over(await call.submit(prompt, client_id="p"))
    assert len(ear.frames) >= least
    for frame in ear.frames:
        event, kind = struct.unpack(">II", frame[:8])
        assert (event, kind) == (1, 2 if format == "PNG" else 1)
        assert Image.open(io.BytesIO(frame[8:])).size == (8, 8)


async def test_wrong_prompts_are_refused_with_the_nodes_own_words(call: Caller):
    status, answer = await call.post(
        "/prompt", {"prompt": shown_by(n("V1Even", value=11, other=0))}
    )
    (told,) = answer["node_errors"]["1"]["errors"]
    assert status == 400
    assert (told["type"], told["details"]) == ("custom_validation_failed", "value - 11 is odd")
    assert told["message"] == "Custom validation failed for node"
    status, answer = await call.post(
        "/prompt", {"prompt": shown_by(n("V1Even", value=13, other=0))}
    )
    (told,) = answer["node_errors"]["1"]["errors"]
    assert status == 400
    assert told["type"] == "exception_during_validation"
    assert "no luck" in told["details"]


async def test_errors_show_inputs_as_object_info_does(call: Caller):
    status, answer = await call.post("/prompt", {"prompt": shown_by(n("V1Number", value=1001))})
    (told,) = answer["node_errors"]["1"]["errors"]
    assert status == 400
    assert told["extra_info"]["input_config"] == [
        "INT",
        {"default": 0, "min": -1000, "max": 1000},
    ]


async def test_a_class_type_that_is_no_name_is_an_error(call: Caller):
    status, answer = await call.post("/prompt", {"prompt": {"1": {"class_type": ["x"]}}})
    assert (status, answer["error"]["type"]) == (400, "invalid_prompt")


async def test_files_of_the_editor_become_prompts_with_nodes_of_packs(call: Caller):
    nodes = [
        {"id": 1, "type": "V1Number", "widgets_values": [7, ""], "inputs": [], "mode": 0},
        {"id": 2, "type": "V1Color", "widgets_values": ["#000"], "inputs": [], "mode": 0},
        {
            "id": 3,
            "type": "V1Add",
            "widgets_values": [5, "log"],
            "inputs": [{"name": "a", "type": "INT", "link": 1}],
            "mode": 0,
        },
    ]
    workflow = {"nodes": nodes, "links": [[1, 1, 0, 3, 0, "INT"]], "version": 0.4}
    status, prompt = await call.post("/workflow/convert", workflow)
    assert status == 200
    assert prompt["1"]["inputs"] == {"value": 7, "log": ""}
    assert prompt["2"]["inputs"] == {"color": "#000"}
    assert prompt["3"]["inputs"] == {"a": ["1", 0], "b": 5, "log": "log"}


async def test_what_packs_print_is_not_the_servers_output(call: Caller, service: Service):
    async with call.ear("p") as ear:
        await ear.over(await call.submit(shown_by(n("V1Greeting", name="Ada")), client_id="p"))
    assert service.process.stdout is not None
    os.set_blocking(service.process.stdout.fileno(), False)
    with pytest.raises(BlockingIOError):
        os.read(service.process.stdout.fileno(), 1)


async def test_a_worker_that_was_killed_comes_back_with_its_packs(process: Opener, tmp_path: Path):
    bench = await process()
    marker = str(tmp_path / "marker")
    assert await shown(bench, shown_by(n("V1Kill", value=7, marker=marker))) == ["7"]
    assert await shown(bench, shown_by(n("V1Greeting", name="again"))) == ["Hello again"]


async def test_native_prompts_do_not_wait_for_packs(tmp_path: Path):
    packs = folder_of(tmp_path, slow=HANGING)
    guests = CustomNodePacks(LOADER, [str(packs)])
    engine = await Engine.open(tmp_path / "home", custom_nodes=guests, preload=False)
    try:
        bench = Bench(engine)
        await asyncio.wait_for(bench.submit({"1": n("PreviewAny", source="x")}), patience.SECONDS)
    finally:
        await engine.close()


async def test_prompts_with_other_nodes_are_told_that_packs_do_not_load(tmp_path: Path):
    packs = folder_of(tmp_path, slow=HANGING)
    engine = await Engine.open(
        tmp_path / "home",
        custom_nodes=CustomNodePacks(LOADER, [str(packs)]),
        preload=False,
    )
    remote = engine.registry.custom_nodes
    assert isinstance(remote, RemoteCustomNodes)
    remote.timeout = 0.5
    try:
        with pytest.raises(CustomNodesUnavailable, match="did not describe its custom nodes"):
            await Bench(engine).submit({"1": n("Unknown")})
    finally:
        await engine.close()


async def test_after_packs_have_loaded_an_unknown_node_is_an_error(process: Opener):
    bench = await process()
    with pytest.raises(PromptError, match="Unknown does not exist"):
        await bench.submit({"1": n("Unknown")})


async def test_a_worker_that_does_not_answer_leaves_the_nodes_as_they_were(process: Opener):
    bench = await process()
    remote = bench.engine.registry.custom_nodes
    assert isinstance(remote, RemoteCustomNodes)
    await remote.refresh()
    remote.refresh_timeout = 0.2
    pid = worker_pid(bench)
    os.kill(pid, signal.SIGSTOP)
    try:
        await remote.refresh()
        assert "V1Number" in bench.engine.registry.nodes
        await bench.submit({"1": n("V1Show", value="x")})
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_changed_pack_does_not_give_old_results(process: Opener, tmp_path: Path):
    source = """
class Give:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}
    def run(self):
        return ("WORD",)
NODE_CLASS_MAPPINGS = {"Give": Give}
"""
    home = tmp_path / "home"
    for word in ("one", "another"):
        packs = folder_of(tmp_path, give=source.replace("WORD", word))
        bench = await process(home, packs)
        assert await shown(bench, previewed(n("Give"))) == [word]
        await bench.engine.close()


async def test_packs_see_each_other_and_names_are_given_once(tmp_path: Path):
    second = """
from custom_nodes.single import Greeting
import custom_nodes.zoo as zoo
class Louder(Greeting):
    def run(self, name):
        return (super().run(name)[0] + zoo.MARK,)
NODE_CLASS_MAPPINGS = {"Louder": Louder}
"""
    zoo = "MARK = '!'\nNODE_CLASS_MAPPINGS = {}\n"
    folder = folder_of(tmp_path, louder=second, zoo=zoo)
    engine = await Engine.open(
        tmp_path / "home",
        custom_nodes=CustomNodePacks(LOADER, [str(folder), str(PACKS), str(PACKS)]),
        preload=False,
    )
    patient(engine)
    bench = Bench(engine)
    try:
        assert await shown(bench, previewed(n("Louder", name="you"))) == ["Hello you!"]
        failures: dict[str, str] = (await engine.worker_facts())["failures"]
        assert failures["single in pack_v1"] == "another pack has this name"
    finally:
        await engine.close()


async def test_a_process_that_dies_while_it_loads_a_pack_is_told_of(
    process: Opener, tmp_path: Path
):
    deadly = f"import os\nos.kill(os.getpid(), {int(signal.SIGKILL)})\n"
    greeting = (PACKS / "single.py").read_text()
    bench = await process(packs=folder_of(tmp_path, deadly=deadly, single=greeting))
    assert await shown(bench, previewed(n("V1Greeting", name="you"))) == ["Hello you"]
    facts: dict[str, Any] = dict(await bench.engine.worker_facts())
    assert "killed" in json.dumps(facts["failures"]["deadly"])


def previewed(source: dict[str, Any]) -> dict[str, Any]:
    """A prompt that shows a node by one of our own."""
    return {"1": source, "out": n("PreviewAny", source=["1", 0])}


def folder_of(tmp_path: Path, **sources: str) -> Path:
    """A folder of packs of one file each."""
    folder = tmp_path / "packs"
    folder.mkdir(exist_ok=True)
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return folder
