"""A pack of the newer kind: schemas and class methods."""

import asyncio

import torch
from comfy_api.latest import ComfyExtension, io, ui
from comfy_execution.graph_utils import GraphBuilder


class Mixed(io.ComfyNode):
    """Has an input of each common kind."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Mixed",
            display_name="Mixed",
            category="v3",
            inputs=[
                io.Int.Input(
                    "count", default=3, min=0, max=10, display_mode=io.NumberDisplay.slider
                ),
                io.Float.Input("strength", default=1.0, step=0.01),
                io.Boolean.Input("on", default=True),
                io.Combo.Input("mode", options=["a", "b"]),
                io.String.Input("text", multiline=True, optional=True, tooltip="a text"),
                io.MultiType.Input("either", [io.Int, io.Float], optional=True),
            ],
            outputs=[io.String.Output("said", tooltip="all of it"), io.Int.Output()],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
        )

    @classmethod
    def validate_inputs(cls, count):
        return count != 7 or "seven is too many"

    @classmethod
    def execute(cls, count, strength, on, mode, text="none", either=None):
        known = cls.hidden.unique_id in cls.hidden.prompt and cls.hidden.dynprompt is None
        return io.NodeOutput(f"{count} {strength} {on} {mode} {text} {either} {known}", count)


class Choose(io.ComfyNode):
    """Gets one of two inputs, and takes its time."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Choose",
            category="v3",
            inputs=[
                io.Boolean.Input("first"),
                io.AnyType.Input("one", lazy=True),
                io.AnyType.Input("two", lazy=True),
            ],
            outputs=[io.AnyType.Output(display_name="chosen")],
        )

    @classmethod
    def check_lazy_status(cls, first, one=None, two=None):
        return ["one"] if first else ["two"]

    @classmethod
    async def execute(cls, first, one=None, two=None):
        await asyncio.sleep(0)
        return io.NodeOutput(one if first else two)


class Again(io.ComfyNode):
    """Expands to another node, or blocks what follows."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Again",
            category="v3",
            inputs=[io.Int.Input("count")],
            outputs=[io.String.Output(is_output_list=False)],
            enable_expand=True,
        )

    @classmethod
    def execute(cls, count):
        if count > 5:
            return io.NodeOutput(block_execution="too often")
        graph = GraphBuilder()
        mixed = graph.node("V3Mixed", count=count, strength=0.5, on=False, mode="b")
        return io.NodeOutput(mixed.out(0), expand=graph.finalize())


class Shown(io.ComfyNode):
    """Shows a text and a picture; nothing is new while the text is the same length."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Shown",
            is_output_node=True,
            inputs=[io.Custom("WORDS").Input("words", optional=True), io.String.Input("text")],
            outputs=[],
        )

    @classmethod
    def fingerprint_inputs(cls, text, **_):
        return len(text or "")

    @classmethod
    def execute(cls, text, words=None):
        picture = ui.PreviewImage(torch.zeros(1, 8, 8, 3), cls=cls)
        return io.NodeOutput(ui={**picture.as_dict(), **ui.PreviewText(text).as_dict()})


class Growing(io.ComfyNode):
    """Wants what is not understood; the others load."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="V3Growing", inputs=[io.Autogrow.Input("more")])


class Newer(ComfyExtension):
    async def get_node_list(self):
        return [Mixed, Choose, Again, Shown, Growing]


async def comfy_entrypoint():
    return Newer()
