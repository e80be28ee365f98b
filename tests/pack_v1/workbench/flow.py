"""Nodes that wait, choose, expand and block."""

import asyncio
import json
from pathlib import Path

from comfy_execution.graph_utils import ExecutionBlocker, GraphBuilder, is_link

from .values import ANY, note


class Nap:
    """Sleeps, and lets others run meanwhile."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/flow"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "value": ("INT",),
                "seconds": ("FLOAT", {"default": 0.05}),
                "log": ("STRING", {"default": ""}),
            }
        }

    async def run(self, value, seconds, log):
        note(log, "begin")
        await asyncio.sleep(seconds)
        note(log, "end")
        return (value,)


class Switch:
    RETURN_TYPES = (ANY,)
    FUNCTION = "run"
    CATEGORY = "v1/flow"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "first": ("BOOLEAN",),
                "if_true": (ANY, {"lazy": True}),
                "if_false": (ANY, {"lazy": True}),
            }
        }

    def check_lazy_status(self, first, if_true=None, if_false=None):
        wanted, value = ("if_true", if_true) if first else ("if_false", if_false)
        return [wanted] if value is None else []

    def run(self, first, if_true=None, if_false=None):
        return (if_true if first else if_false,)


class Repeat:
    """Adds a number to another so many times, by nodes of its own making."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/flow"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "start": ("INT",),
                "step": ("INT",),
                "times": ("INT",),
                "log": ("STRING", {"default": ""}),
            }
        }

    def run(self, start, step, times, log):
        graph = GraphBuilder()
        value = start
        for _ in range(times):
            value = graph.node("V1Add", a=value, b=step, log=log).out(0)
        return {"result": (value,), "expand": graph.finalize()}


class Countdown:
    """Expands to itself with a number less by one, until it is 0; shows each."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/flow"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT",), "said": ("STRING",)}}

    def run(self, number, said):
        if number == 0:
            return (said + " 0",)
        graph = GraphBuilder()
        graph.node("V1Show", value=number)
        rest = graph.node("V1Countdown", number=number - 1, said=f"{said} {number}")
        return {"result": (rest.out(0),), "expand": graph.finalize()}


class Snake:
    """Expands to a graph that bites its own tail."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/flow"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def run(self):
        graph = GraphBuilder()
        head, tail = graph.node("V1Add", b=1), graph.node("V1Add", b=1)
        head.set_input("a", tail.out(0))
        tail.set_input("a", head.out(0))
        return {"result": (head.out(0),), "expand": graph.finalize()}


class Block:
    """Lets a value pass unless it is above a limit."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/flow"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"value": ("INT",), "limit": ("INT",), "why": ("STRING", {"default": ""})}
        }

    def run(self, value, limit, why):
        return (ExecutionBlocker(why or None) if value > limit else value,)


class Family:
    """Tells where it stands; above 0 it has a child tell."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/flow"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"depth": ("INT",)},
            "hidden": {"node": "UNIQUE_ID", "prompt": "DYNPROMPT"},
        }

    def run(self, depth, node, prompt):
        if depth == 0:
            own = prompt.get_node(node)["inputs"]["depth"]
            return (
                json.dumps(
                    [own, node, prompt.get_parent_node_id(node), prompt.get_display_node_id(node)]
                ),
            )
        graph = GraphBuilder()
        child = graph.node("V1Family", depth=depth - 1)
        return {"result": (child.out(0),), "expand": graph.finalize()}


class Link:
    """Gets the link itself, not what comes by it."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/flow"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY, {"rawLink": True})}}

    def run(self, value):
        return (json.dumps([value, is_link(value)]),)


class Kill:
    """Ends the process it runs in, once; `marker` is a file that remembers."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/flow"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT",), "marker": ("STRING",)}}

    def run(self, value, marker):
        import os
        import signal

        if not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return (value,)


NODES = {
    "V1Nap": Nap,
    "V1Switch": Switch,
    "V1Repeat": Repeat,
    "V1Countdown": Countdown,
    "V1Snake": Snake,
    "V1Block": Block,
    "V1Family": Family,
    "V1Link": Link,
    "V1Kill": Kill,
}
