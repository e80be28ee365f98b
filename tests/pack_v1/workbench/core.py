"""Nodes that derive from those of the program, or call them."""

import json

import comfy.sample
import comfy.samplers
import folder_paths
import latent_preview
from node_helpers import conditioning_set_values

import nodes
from nodes import KSampler, LoadImage, PreviewImage, SaveImage, common_ksampler


class SaveLoudly(SaveImage):
    """Saves into the temp folder, under a name of its own."""

    def __init__(self):
        super().__init__()
        self.output_dir = folder_paths.get_temp_directory()
        self.type = "temp"
        self.prefix_append = "_loud"

    @classmethod
    def INPUT_TYPES(cls):
        types = super().INPUT_TYPES()
        types["required"]["loudness"] = ("INT", {"default": 1})
        return types

    FUNCTION = "save"
    CATEGORY = "v1/core"

    def save(self, images, filename_prefix, loudness, prompt=None, extra_pnginfo=None):
        made = self.save_images(images, filename_prefix + "!" * loudness, prompt, extra_pnginfo)
        made["ui"]["text"] = [f["type"] for f in made["ui"]["images"]]
        return made


class SaveWithoutGraph(SaveImage):
    """Keeps a text of its own in the file, and nothing else."""

    def save_images(self, images, filename_prefix="ComfyUI", prompt=None, extra_pnginfo=None):
        return super().save_images(images, filename_prefix, None, {"note": "mine"})


class SaveElsewhere(SaveImage):
    """Wants to write where it may not."""

    def __init__(self):
        self.output_dir = "/nowhere"


class ShowAll(PreviewImage):
    """The same as its base."""


class LoadTwice(LoadImage):
    """The same picture two times in a batch."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "load"
    CATEGORY = "v1/core"

    def load(self, image):
        picture, _ = self.load_image(image)
        return nodes.ImageBatch().batch(picture, picture)


class Called:
    """Calls nodes by their names."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1/core"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": ("STRING",), "given": ("STRING",)}}

    def run(self, name, given):
        kind = nodes.NODE_CLASS_MAPPINGS[name]
        made = getattr(kind(), kind.FUNCTION)(**json.loads(given))
        return (json.dumps([str(value) for value in made]),)


class Draws:
    """A whole picture, by nodes of the program; the model is loaded here or comes by link."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "v1/core"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "text": ("STRING",),
                "way": (["class", "function", "steps", "noise", "object"],),
                "seed": ("INT", {"default": 1}),
            },
            "optional": {"model": ("MODEL",), "clip": ("CLIP",), "vae": ("VAE",)},
        }

    def run(self, text, way, seed, model=None, clip=None, vae=None):
        if model is None:
            name = nodes.CheckpointLoaderSimple.INPUT_TYPES()["required"]["ckpt_name"][0][0]
            model, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint(name)
        (wanted,) = nodes.CLIPTextEncode().encode(clip, text)
        (unwanted,) = nodes.CLIPTextEncode().encode(clip, "")
        wanted = conditioning_set_values(wanted, {"note": 1})
        (latent,) = nodes.EmptyLatentImage().generate(64, 64, 1)
        rest = ("euler", "normal", wanted, unwanted, latent)
        if way == "class":
            (made,) = KSampler().sample(model, seed, 4, 2.0, *rest)
        elif way == "function":
            (made,) = common_ksampler(model, seed, 4, 2.0, *rest)
        elif way in ("noise", "object"):
            start = comfy.sample.fix_empty_latent_channels(model, latent["samples"])
            noise = comfy.sample.prepare_noise(start, seed)
            show = latent_preview.prepare_callback(model, 4)
            if way == "noise":
                made = comfy.sample.sample(
                    model, noise, 4, 2.0, *rest[:-1], start, callback=show, seed=seed
                )
            else:
                sampler = comfy.samplers.KSampler(model, 4, "cpu", "euler", "normal", 1.0)
                made = sampler.sample(noise, wanted, unwanted, 2.0, start, seed=seed)
            made = {"samples": made}
        else:
            (half,) = common_ksampler(model, seed, 4, 2.0, *rest, last_step=2)
            (made,) = common_ksampler(
                model,
                seed,
                4,
                2.0,
                *rest[:-1],
                half,
                disable_noise=True,
                start_step=2,
                force_full_denoise=True,
            )
        return nodes.VAEDecode().decode(vae, made)


class TwoLayers:
    """A text by two layers of one encoder, which is loaded once for the first alone."""

    RETURN_TYPES = ("CONDITIONING", "CONDITIONING")
    FUNCTION = "run"
    CATEGORY = "v1/core"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"clip": ("CLIP",)}}

    def run(self, clip):
        layer = nodes.CLIPSetLastLayer()
        (changed,) = getattr(layer, layer.FUNCTION)(clip, -2)
        encode = nodes.CLIPTextEncode().encode
        return encode(clip, "a")[0], encode(changed, "a")[0]


class Waits:
    """Awaits an async node of the program."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/core"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"first": ("BOOLEAN",)}}

    async def run(self, first):
        return await nodes.ComfySwitchNode().run(switch=first, on_true=1, on_false=2)


NODES = {
    "V1SaveLoudly": SaveLoudly,
    "V1SaveWithoutGraph": SaveWithoutGraph,
    "V1SaveElsewhere": SaveElsewhere,
    "V1ShowAll": ShowAll,
    "V1LoadTwice": LoadTwice,
    "V1Called": Called,
    "V1Draws": Draws,
    "V1TwoLayers": TwoLayers,
    "V1Waits": Waits,
}
