"""@stable-canvas/comfyui-client of npm, in Node, against our service."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import requests
from PIL import Image

from tests import patience
from tests.clients.conftest import NodeTask
from tests.clients.drawings import flipped, slow
from tests.conftest import Service
from tests.server.conftest import node


def test_a_picture_is_made_followed_and_fetched(stable_canvas: NodeTask):
    made = stable_canvas("picture", slow(0.5))
    heard = [event for event in made["heard"] if event not in ("status", "progress_state")]
    assert heard[:2] == ["execution_start", "execution_cached"]
    assert heard[-3:] == ["executed", "execution_success", "executing"]
    assert "unhandled" not in heard
    assert made["progress"][-1] == [5, 5]
    ((status, kind, data),) = made["files"]
    assert (status, kind) == (200, "image/png")
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (64, 48)


def test_a_picture_is_made_by_asking_again_and_again(stable_canvas: NodeTask):
    assert stable_canvas("polled", flipped("blue")) == {
        "images": 1,
        "status": {"running": False, "pending": False, "done": True},
    }


def test_a_failure_reaches_the_client(stable_canvas: NodeTask):
    prompt = {
        "1": {"class_type": "Divide", "inputs": {"a": 1, "b": 0}},
        "2": node("Show", value=["1", 0]),
    }
    assert "modulo by zero" in stable_canvas("refused", prompt)["message"]
    wrong = flipped("red")
    wrong["1"]["inputs"]["width"] = 0
    assert stable_canvas("refused", wrong) is not None


def test_a_running_job_is_interrupted(stable_canvas: NodeTask):
    stopped = stable_canvas("stopped", slow(600))
    assert stopped["listed"] == [stopped["running"]]
    assert stopped["interrupted"] == stopped["running"]


def test_a_picture_is_uploaded(stable_canvas: NodeTask, service: Service, tmp_path: Path):
    Image.new("RGB", (40, 30), "navy").save(tmp_path / "sea.png")
    status, stored = stable_canvas("uploaded", tmp_path / "sea.png")
    assert status == 200
    assert (stored["name"], stored["subfolder"], stored["type"]) == ("from-node.png", "", "input")
    assert (service.home / "input" / "from-node.png").read_bytes() == (
        tmp_path / "sea.png"
    ).read_bytes()


def test_history_is_read_and_forgotten(stable_canvas: NodeTask):
    remembered = stable_canvas("remembered", flipped("red", "kept"))
    assert remembered["before"][-1] == remembered["id"]
    assert remembered["after"] == remembered["before"][:-1]
    assert remembered["cleared"] == 0


def test_everything_else_it_asks_is_answered(stable_canvas: NodeTask, service: Service):
    asked = stable_canvas("asked")
    assert asked["extensions"] == []
    # Other modules of tests leave files and settings on the service.
    listed = requests.get(f"{service.url}/embeddings", timeout=patience.SECONDS).json()
    assert asked["embeddings"] == listed
    assert asked["nodes"] > 50
    assert asked["device"]
    assert asked["user"] == "server"
    assert asked["settings"].items() >= {"Test.Number": 7, "Test.Word": "seven"}.items()
    assert asked["setting"] == 7
    assert asked["notes"] == {"seven": 7}
    assert {"checkpoints", "loras"} <= set(asked["folders"])
    assert asked["checkpoints"] == ["demo"]
    assert asked["models"] == ["demo"]
    assert "euler" in asked["samplers"]
    assert "karras" in asked["schedulers"]
    assert asked["loras"] == []
    assert asked["queue"] == {"Running": [], "Pending": []}
