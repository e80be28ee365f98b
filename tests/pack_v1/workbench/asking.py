"""Nodes that judge their inputs before they run."""


class Even:
    """Takes even numbers alone; of 13 nothing is known."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/asking"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"min": 0, "max": 10}), "other": ("INT", {"max": 3})}}

    @classmethod
    def VALIDATE_INPUTS(cls, value):
        if value == 13:
            raise RuntimeError("no luck")
        if value is None or value % 2 == 0:
            return True
        return f"{value} is odd"

    def run(self, value, other):
        return (value,)


class Anything:
    """Judges all its inputs and no type."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/asking"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT",), "mode": (["a", "b"],)}}

    @classmethod
    async def VALIDATE_INPUTS(cls, input_types, **kwargs):
        if input_types.get("value", "INT") not in ("INT", "STRING"):
            return "no " + input_types["value"]
        return kwargs["mode"] != "bad"

    def run(self, value, mode):
        return (f"{value} {mode}",)


class Real:
    """Judges its number, and no type."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/asking"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("FLOAT", {"min": 0.0, "max": 1.0})}}

    @classmethod
    def VALIDATE_INPUTS(cls, value):
        return True

    def run(self, value):
        return (f"{type(value).__name__} {value}",)


class RealOfAnyType(Real):
    """Judges the type that comes by a link."""

    @classmethod
    def VALIDATE_INPUTS(cls, value, input_types):
        return input_types.get("value") in (None, "INT", "FLOAT") or f"no {input_types}"


NODES = {"V1Real": Real, "V1RealOfAnyType": RealOfAnyType, "V1Even": Even, "V1Anything": Anything}
