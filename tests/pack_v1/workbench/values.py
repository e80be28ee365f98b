"""Plain nodes: counting, failing, keeping state."""

import json
import time
from pathlib import Path

from comfy.comfy_types import IO, ComfyNodeABC, InputTypeDict


class AnyType(str):
    def __ne__(self, other):
        return False


ANY = AnyType("*")


def note(log, text):
    if Path(log).is_absolute():  # a random one shall leave no file in the checkout
        with Path(log).open("a") as file:
            file.write(text + "\n")


class Number(ComfyNodeABC):
    """The node of most tests."""

    DESCRIPTION = "Gives its number."
    RETURN_TYPES = (IO.INT,)
    OUTPUT_TOOLTIPS = ("the number",)
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls) -> InputTypeDict:
        return {
            "required": {"value": (IO.INT, {"default": 0, "min": -1000, "max": 1000})},
            "optional": {"log": (IO.STRING, {"default": ""})},
        }

    def run(self, value, log=""):
        note(log, f"Number {value}")
        return (value,)


class Add:
    RETURN_TYPES = ("INT",)
    RETURN_NAMES = ("sum",)
    FUNCTION = "run"
    CATEGORY = "v1/values"
    DEPRECATED = True

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"a": ("INT", {"forceInput": True}), "b": ("INT",)},
            "optional": {"log": ("STRING", {"default": ""})},
        }

    def run(self, a, b, log=""):
        note(log, f"Add {a} {b}")
        return (a + b,)


class Show:
    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}, "optional": {"log": ("STRING", {"default": ""})}}

    def run(self, value, log=""):
        note(log, f"Show {value}")
        return {"ui": {"text": (str(value),)}}


class ShowAndPass:
    """An output node that gives its value on."""

    RETURN_TYPES = (ANY,)
    OUTPUT_NODE = True
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    def run(self, value):
        return {"ui": {"text": [str(value)]}, "result": (value,)}


class Silent:
    """An output node that shows nothing."""

    RETURN_TYPES = ("INT",)
    OUTPUT_NODE = True
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT",), "log": ("STRING", {"default": ""})}}

    def run(self, value, log):
        note(log, f"Silent {value}")
        return (value,)


class Tally:
    """Counts how often this very node ran: state in the instance, never taken from the cache."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/values"

    def __init__(self):
        self.count = 0

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    @classmethod
    def IS_CHANGED(cls):
        return float("nan")

    def run(self):
        self.count += 1
        return (self.count,)


class Content:
    """Reads a file; runs again when its content changed."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"path": ("STRING", {"default": ""})}, "hidden": {"id": "UNIQUE_ID"}}

    @classmethod
    def IS_CHANGED(cls, path, id):
        return Path(path).read_text()

    def run(self, path, id):
        return (Path(path).read_text(),)


class Own:
    """Never shares a result with an equal node."""

    NOT_IDEMPOTENT = True
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT",), "log": ("STRING", {"default": ""})}}

    def run(self, value, log):
        note(log, f"Own {value}")
        return (value,)


class Fail:
    RETURN_TYPES = (ANY,)
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,), "text": ("STRING", {"default": "as asked"})}}

    def run(self, value, text):
        raise ValueError(text)


class Hidden:
    """Shows what it is given without being asked."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {},
            "hidden": {
                "node": "UNIQUE_ID",
                "prompt": "PROMPT",
                "extra": "EXTRA_PNGINFO",
                "dynamic": ("DYNPROMPT",),
                "token": "AUTH_TOKEN_COMFY_ORG",
            },
        }

    def run(self, node, prompt, extra, dynamic, token):
        own = dynamic.get_node(node)["class_type"]
        return (json.dumps([node, sorted(prompt), extra, own, token]),)


class Slow:
    """Takes a while, and says when."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT",), "log": ("STRING",)}}

    def run(self, value, log):
        note(log, "begin")
        time.sleep(0.05)
        note(log, "end")
        return (value,)


class Short:
    """Gives less than it declares."""

    RETURN_TYPES = ("INT", "INT")
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"whole": ("BOOLEAN", {"default": False})}}

    def run(self, whole):
        return 5 if whole else (5,)


class Color:
    """A widget of its own, whose value no other program knows."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"color": ("COLOR", {"default": "#fff"})}}

    def run(self, color):
        return (json.dumps(color),)


class NumberOrFloat:
    RETURN_TYPES = ("INT,FLOAT",)
    FUNCTION = "run"
    CATEGORY = "v1/values"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT,FLOAT", {"forceInput": True})}}

    def run(self, number):
        return (number,)


NODES = {
    "V1Number": Number,
    "V1Add": Add,
    "V1Show": Show,
    "V1ShowAndPass": ShowAndPass,
    "V1Silent": Silent,
    "V1Tally": Tally,
    "V1Content": Content,
    "V1Own": Own,
    "V1Fail": Fail,
    "V1Hidden": Hidden,
    "V1Short": Short,
    "V1Slow": Slow,
    "V1Color": Color,
    "V1NumberOrFloat": NumberOrFloat,
}
