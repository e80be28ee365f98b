"""Declarations that no tidy pack has; those that make sense become nodes, the others do not."""

import itertools
import sys
from enum import Enum

import numpy as np


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Any(str):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = str.__hash__


class Numbers:
    """Limits of every size and kind."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        far = 0xFFFFFFFFFFFFFFFFFFFF
        return {
            "required": {
                "whole": ("INT", {"default": 0, "min": -far, "max": far, "step": 0}),
                "size": ("INT", {"default": 99, "min": 0, "max": sys.maxsize, "step": -1}),
                "real": ("FLOAT", {"default": 0, "min": -np.inf, "max": np.float32(9.5)}),
                "text": ("STRING", {"default": 5, "min": 0, "max": "many"}),
                "kind": (Size, {"default": Size.SMALL}),
                "both": ("INT, FLOAT", {"default": 1}),
                "anything": (Any("*"),),
            },
            "optional": {7: ("INT", {"default": object()})},
        }

    def run(self, **given):
        return {"ui": {"text": [f"{name}={value}" for name, value in sorted(given.items())]}}


class Endless(Numbers):
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (itertools.count(),)}}


class NoText(Numbers):
    class Name:
        def __str__(self):
            raise RuntimeError("it has no text")

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {cls.Name(): ("INT",)}}


NODE_CLASS_MAPPINGS = {"V1Numbers": Numbers, "V1Endless": Endless, "V1NoText": NoText}
NODE_DISPLAY_NAME_MAPPINGS = {"V1Numbers": 5, "V1Endless": None}
