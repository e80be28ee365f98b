"""Nodes that give lists, take lists, and take what nobody declared."""

import json


class Count:
    """0, 1, 2, ...: one after the other."""

    RETURN_TYPES = ("INT", "INT")
    RETURN_NAMES = ("item", "length")
    OUTPUT_IS_LIST = (True, False)
    FUNCTION = "run"
    CATEGORY = "v1/lists"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"length": ("INT",)}}

    def run(self, length):
        return (list(range(length)), length)


class Together:
    """Every input is a list here."""

    INPUT_IS_LIST = True
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/lists"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"items": ("INT",), "separator": ("STRING",)},
            "hidden": {"node": "UNIQUE_ID"},
        }

    def run(self, items, separator, node):
        return (separator[0].join(map(str, items)) + f" {separator} {node}",)


class Sum:
    """Adds whatever is linked, under any name."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/lists"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def run(self, **kwargs):
        return (sum(kwargs.values()),)


class Everything(dict):
    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return ("*",)


class Take:
    """Tells whatever it is given, linked or not."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/lists"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": Everything()}

    def run(self, **kwargs):
        return (json.dumps(kwargs, sort_keys=True),)


NODES = {"V1Take": Take, "V1Count": Count, "V1Together": Together, "V1Sum": Sum}
