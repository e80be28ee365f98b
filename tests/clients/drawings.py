"""What the clients are given to do."""

from __future__ import annotations

import json
import uuid
from functools import cache
from hashlib import sha256
from typing import Any

from engine.graph.prompt import as_link
from tests.graph.editor import box, canvas
from tests.server.conftest import node

COLORS = {"red": 0xFF0000, "blue": 0x0000FF}


def flipped(color: str, prefix: str = "flipped") -> dict[str, Any]:
    """A prompt for a picture of the opposite colour."""
    size = {"width": 64, "height": 48, "batch_size": 1}
    return {
        "1": {"class_type": "EmptyImage", "inputs": {**size, "color": COLORS[color]}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {
            "class_type": "SaveImage",
            "inputs": {"images": ["2", 0], "filename_prefix": prefix},
        },
    }


def slow(seconds: float) -> dict[str, Any]:
    """A prompt for a picture that no cache knows, with a while of steps in it."""
    color = uuid.uuid4().int % 2**24
    size = {"width": 64, "height": 48, "batch_size": 1}
    steps = max(2, int(seconds * 10))
    return {
        "1": {"class_type": "EmptyImage", "inputs": {**size, "color": color}},
        "2": node("Sleep", value=["1", 0], steps=steps, seconds=seconds),
        "3": {
            "class_type": "SaveImage",
            "inputs": {"images": ["2", 0], "filename_prefix": "slow"},
        },
    }


def workflow() -> dict[str, Any]:
    """A document of the editor: a reroute, a primitive, a muted and a bypassed node, a note."""
    nodes = [
        box(1, "EmptyImage", (64, 48, 1, 0x00FF00), outputs=["IMAGE"], pos=[0, 0]),
        box(2, "Reroute", (), [("", "*", 1)], outputs=["IMAGE"], pos=[300, 0]),
        box(3, "ImageInvert", (), [("image", "IMAGE", 2)], outputs=["IMAGE"], mode=4, pos=[400, 0]),
        box(
            4,
            "ImageScale",
            ("lanczos", 48, 32, "disabled"),
            [("image", "IMAGE", 3), ("width", "INT", 4, "widget")],
            outputs=["IMAGE"],
            pos=[700, 0],
        ),
        box(5, "PrimitiveNode", (48, "fixed"), outputs=["INT"], pos=[400, 200]),
        box(6, "SaveImage", ("drawn",), [("images", "IMAGE", 5)], pos=[1000, 0]),
        box(7, "PreviewImage", (), [("images", "IMAGE", 6)], mode=2, pos=[1000, 300]),
        box(8, "Note", ("Nothing runs here.",), pos=[0, 400]),
    ]
    links = [
        [1, 1, 0, 2, 0, "IMAGE"],
        [2, 2, 0, 3, 0, "IMAGE"],
        [3, 3, 0, 4, 0, "IMAGE"],
        [4, 5, 0, 4, 1, "INT"],
        [5, 4, 0, 6, 0, "IMAGE"],
        [6, 3, 0, 7, 0, "IMAGE"],
    ]
    for entry in nodes:
        entry |= {"size": [200, 100], "flags": {}, "order": entry["id"]}
        for slot, output in enumerate(entry["outputs"]):
            here = (entry["id"], slot)
            output["links"] = [id for id, source, at, *_ in links if (source, at) == here]
    nodes[4]["outputs"][0]["widget"] = {"name": "width"}
    return canvas(nodes, links, last_node_id=8, last_link_id=6, config={}, extra={})


def plain(prompt: dict[str, Any]) -> dict[str, Any]:
    """A prompt without the titles of its nodes."""
    return {
        id: {"class_type": entry["class_type"], "inputs": entry["inputs"]}
        for id, entry in prompt.items()
    }


def without_ids(prompt: dict[str, Any]) -> list[str]:
    """What each node of a prompt computes, sorted: the same whatever ids the nodes have."""

    @cache
    def computed(id: str) -> str:
        entry = prompt[id]
        inputs = {
            name: [computed(link.node), link.slot] if (link := as_link(value)) else value
            for name, value in sorted(entry["inputs"].items())
        }
        text = json.dumps([entry["class_type"], inputs], sort_keys=True)
        return f"{entry['class_type']} {sha256(text.encode()).hexdigest()}"

    return sorted(map(computed, prompt))
