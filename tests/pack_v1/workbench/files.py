"""Nodes that find, write and list files, and talk to the browser."""

import json
import os
import time

import comfy.model_management
import comfy.samplers
import comfy.utils
import folder_paths
from comfy_api.v0_0_2 import ComfyAPISync
from PIL import Image
from server import PromptServer

import nodes

api = ComfyAPISync()


@PromptServer.instance.routes.post("/workbench/route")
async def route(request):
    raise NotImplementedError("packs run where no request comes")


class Pick:
    """One of the files that are there now."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/files"

    @classmethod
    def INPUT_TYPES(cls):
        names = sorted(os.listdir(folder_paths.get_input_directory()))
        return {
            "required": {
                "file": (names, {"image_upload": True}),
                "lora": (folder_paths.get_filename_list("loras"),),
                "size": ([1, 2.5, "three", True],),
            }
        }

    def run(self, file, lora, size):
        path = folder_paths.get_annotated_filepath(file)
        found = folder_paths.get_full_path_or_raise("loras", lora)
        return (json.dumps([os.path.basename(path), os.path.basename(found), size]),)


class Save:
    OUTPUT_NODE = True
    RETURN_TYPES = ()
    FUNCTION = "run"
    CATEGORY = "v1/files"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING",), "filename_prefix": ("STRING",)}}

    def run(self, text, filename_prefix):
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory()
        )
        file = f"{name}_{counter:05}_.txt"
        with open(os.path.join(folder, file), "w") as written:
            written.write(text)
        return {"ui": {"files": [{"filename": file, "subfolder": subfolder, "type": "output"}]}}


class Work:
    """Works for a while, reports, and heeds interrupts."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/files"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"steps": ("INT",), "pause": ("FLOAT",), "new": ("BOOLEAN",)}}

    def run(self, steps, pause, new):
        bar = comfy.utils.ProgressBar(steps)
        for step in range(steps):
            time.sleep(pause)
            if new:
                api.execution.set_progress(step + 1, steps)
            else:
                bar.update(1)
        return (steps,)


class Picture:
    """Sends pictures instead of saving them."""

    OUTPUT_NODE = True
    RETURN_TYPES = ()
    FUNCTION = "run"
    CATEGORY = "v1/files"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"images": ("IMAGE",), "format": (["PNG", "JPEG"],)}}

    @classmethod
    def IS_CHANGED(cls, images, format):
        return time.time()

    def run(self, images, format):
        bar = comfy.utils.ProgressBar(len(images))
        for number, image in enumerate(images):
            pixels = (image.numpy() * 255).astype("uint8")
            bar.update_absolute(number, preview=(format, Image.fromarray(pixels), None))
        return {}


class Tell:
    """Sends a message of its own."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/files"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING",)}}

    def run(self, text):
        PromptServer.instance.send_sync("workbench.said", {"text": text, "many": (1, 2)})
        PromptServer.instance.send_progress_text(f"at work: {text}", "1")
        return (str(PromptServer.instance.client_id),)


class Surroundings:
    """What a pack sees of the program it runs in."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/files"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"sampler": (comfy.samplers.KSampler.SAMPLERS,)}}

    def run(self, sampler):
        folder_paths.add_model_folder_path("workbench", os.path.dirname(__file__))
        known = "V1Number" in nodes.NODE_CLASS_MAPPINGS
        names = folder_paths.get_filename_list("workbench")
        interrupted = comfy.model_management.processing_interrupted()
        return (json.dumps([nodes.MAX_RESOLUTION, known, "files.py" in names, interrupted]),)


NODES = {
    "V1Pick": Pick,
    "V1Save": Save,
    "V1Work": Work,
    "V1Picture": Picture,
    "V1Tell": Tell,
    "V1Surroundings": Surroundings,
}
