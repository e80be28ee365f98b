"""A node pack as ComfyUI's users write them: V1 classes, plain attributes, no types."""

from . import asking, core, files, flow, lists, loops, turns, values

NODE_CLASS_MAPPINGS = {}
NODE_DISPLAY_NAME_MAPPINGS = {"V1Number": "A number"}
WEB_DIRECTORY = "./web"

for module in (asking, core, files, flow, lists, loops, turns, values):
    NODE_CLASS_MAPPINGS.update(module.NODES)

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
