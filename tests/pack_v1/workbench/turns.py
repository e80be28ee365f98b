"""A loop of so many turns, made of the while loop; its counter is no input that anybody sees."""

from comfy_execution.graph_utils import GraphBuilder

from .values import ANY

FAR = 0xFFFFFFFFFFFFFFFF


class For:
    """Begins a turn; `first` is how many are left, and is told by the end of the turn before."""

    RETURN_TYPES = ("FLOW", "INT", ANY)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"times": ("INT", {"default": 1, "min": 0, "max": FAR})},
            "optional": {"second": (ANY,)},
            "hidden": {"first": (ANY,)},
        }

    def run(self, times, second=None, first=None):
        left = times if first is None else first
        graph = GraphBuilder()
        graph.node("V1While", first=left, second=second)
        return {"result": ("flow", left, second), "expand": graph.finalize()}


class EndFor:
    """Ends a turn: one less is left, and while that is not 0 there is another one."""

    RETURN_TYPES = (ANY,)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"flow": ("FLOW", {"rawLink": True})},
            "optional": {"second": (ANY, {"rawLink": True})},
        }

    def run(self, flow, second=None):
        graph = GraphBuilder()
        left = graph.node("V1Whole", a=[flow[0], 1], b=1, way="subtract")
        more = graph.node("V1IsTrue", value=left.out(0))
        end = graph.node(
            "V1EndWhile", flow=flow, condition=more.out(0), first=left.out(0), second=second
        )
        return {"result": (end.out(1),), "expand": graph.finalize()}


class Whole:
    """Whole numbers of any size."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        number = ("INT", {"default": 0, "min": -FAR, "max": FAR, "step": 1})
        return {"required": {"a": number, "b": number, "way": (["add", "subtract"],)}}

    def run(self, a, b, way):
        return (a + b if way == "add" else a - b,)


class IsTrue:
    RETURN_TYPES = ("BOOLEAN",)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0, "min": -FAR, "max": FAR})}}

    def run(self, value):
        return (value != 0,)


class Fickle:
    """A number that counts as changed each time."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0, "min": -FAR, "max": FAR})}}

    @classmethod
    def IS_CHANGED(cls, value):
        return float("nan")

    def run(self, value):
        return (value,)


class Mean:
    """Two pictures as one."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("IMAGE",), "b": ("IMAGE",)}}

    ran = 0

    def run(self, a, b):
        Mean.ran += 1
        if Mean.ran > 200:  # of all tests together
            raise RuntimeError("a loop does not end")
        return ((a + b) / 2,)


class Brightness:
    RETURN_TYPES = ("FLOAT",)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"picture": ("IMAGE",)}}

    def run(self, picture):
        return (float(picture.mean()),)


class Nothing:
    """Pictures of a size that cannot be kept."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"count": ("INT",), "width": ("INT",)}}

    def run(self, count, width):
        import torch

        return (torch.zeros(count, 8, width, 3),)


NODES = {
    "V1Nothing": Nothing,
    "V1Brightness": Brightness,
    "V1For": For,
    "V1EndFor": EndFor,
    "V1Whole": Whole,
    "V1IsTrue": IsTrue,
    "V1Fickle": Fickle,
    "V1Mean": Mean,
}
