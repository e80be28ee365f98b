"""`comfy`: the few of its modules that packs use to describe nodes, report, and find a device."""

from __future__ import annotations

import enum
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from engine.authoring.backend import Backend
from engine.authoring.errors import Interrupted
from engine.authoring.registry import Registry
from engine.compat.call import CURRENT


class IO(enum.StrEnum):
    """Names of the types that links and widgets have."""

    STRING = "STRING"
    IMAGE = "IMAGE"
    MASK = "MASK"
    LATENT = "LATENT"
    BOOLEAN = "BOOLEAN"
    INT = "INT"
    FLOAT = "FLOAT"
    COMBO = "COMBO"
    CONDITIONING = "CONDITIONING"
    SAMPLER = "SAMPLER"
    SIGMAS = "SIGMAS"
    GUIDER = "GUIDER"
    NOISE = "NOISE"
    CLIP = "CLIP"
    CONTROL_NET = "CONTROL_NET"
    VAE = "VAE"
    MODEL = "MODEL"
    LORA_MODEL = "LORA_MODEL"
    LOSS_MAP = "LOSS_MAP"
    CLIP_VISION = "CLIP_VISION"
    CLIP_VISION_OUTPUT = "CLIP_VISION_OUTPUT"
    STYLE_MODEL = "STYLE_MODEL"
    GLIGEN = "GLIGEN"
    UPSCALE_MODEL = "UPSCALE_MODEL"
    AUDIO = "AUDIO"
    WEBCAM = "WEBCAM"
    POINT = "POINT"
    FACE_ANALYSIS = "FACE_ANALYSIS"
    BBOX = "BBOX"
    SEGS = "SEGS"
    VIDEO = "VIDEO"
    ANY = "*"
    NUMBER = "FLOAT,INT"
    PRIMITIVE = "STRING,FLOAT,INT,BOOLEAN"


class ComfyNodeABC:
    """What a node may derive from to have its attributes listed; it adds nothing."""

    DESCRIPTION: ClassVar[str]
    CATEGORY: ClassVar[str]
    FUNCTION: ClassVar[str]
    RETURN_TYPES: ClassVar[tuple[Any, ...]]


class CheckLazyMixin:
    """Asks for every lazy input that is not there yet."""

    def check_lazy_status(self, **kwargs: Any) -> list[str]:
        """Names of the inputs without a value."""
        return [name for name, value in kwargs.items() if value is None]


class ProgressBar:
    """Reports the progress of the node that makes it, and ends it when its job was interrupted.

    It may be used in threads that the node starts.

    Args:
        total: steps in all.
        node_id: has no effect, the node that runs is known.
    """

    def __init__(self, total: float, node_id: Any = None) -> None:
        self.total = total
        self.current = 0.0
        self.node_id = node_id
        self._call = CURRENT.get()

    def update_absolute(
        self, value: float, total: float | None = None, preview: Any = None
    ) -> None:
        """So many steps are done; `preview` is (format, PIL picture, longest side)."""
        self.total = self.total if total is None else total
        self.current = min(value, self.total)
        if self._call is not None:
            self._call.progress(self.current, self.total, preview)

    def update(self, value: float) -> None:
        """So many more steps are done."""
        self.update_absolute(self.current + value)


def load_torch_file(
    ckpt: str, safe_load: bool = True, device: Any = None, return_metadata: bool = False
) -> Any:
    """The tensors of a file by name; of pickled ones only weights are read, never objects."""
    place = "cpu" if device is None else str(device)
    metadata: dict[str, str] | None = None
    tensors: dict[str, Any]
    if Path(ckpt).suffix.lower() in (".safetensors", ".sft"):
        import safetensors

        opened: Any = safetensors.safe_open(ckpt, framework="pt", device=place)
        with opened as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    else:
        import torch

        read: Any = torch.load(ckpt, map_location=place, weights_only=True)
        tensors = read.get("state_dict", read)
    return (tensors, metadata) if return_metadata else tensors


def common_upscale(samples: Any, width: int, height: int, upscale_method: str, crop: str) -> Any:
    """Pictures [B, C, H, W] in another size; `crop` "center" cuts off what does not fit."""
    import torch

    if crop == "center":
        old_height, old_width = samples.shape[-2:]
        x = max(0, round((old_width - old_height * width / height) / 2))
        y = max(0, round((old_height - old_width * height / width) / 2))
        samples = samples[..., y : old_height - y, x : old_width - x]
    mode = "bicubic" if upscale_method in ("lanczos", "bislerp") else upscale_method
    return torch.nn.functional.interpolate(samples, size=(height, width), mode=mode)


class ModelManagement(ModuleType):
    """`comfy.model_management`: devices, and whether the job was interrupted.

    Args:
        registry: knows the backend, which is asked for only when a pack wants a device.
    """

    InterruptProcessingException = Interrupted

    def __init__(self, registry: Registry) -> None:
        super().__init__("comfy.model_management")
        self._registry = registry
        for name in DEVICE_FUNCTIONS:
            setattr(self, name, self.get_torch_device)
        for name in REST_FUNCTIONS:
            setattr(self, name, self._cpu)

    @cached_property
    def _backend(self) -> Backend:
        return self._registry.backend()

    def get_torch_device(self, *_: Any, **__: Any) -> Any:
        """Where to compute, a torch.device: the first accelerator, else the CPU."""
        import torch

        return torch.device(self._name())

    def _name(self) -> str:
        return next(iter(self._backend.accelerators()), "cpu")

    def _cpu(self, *_: Any, **__: Any) -> Any:
        """Where to keep what does not compute."""
        import torch

        return torch.device("cpu")

    def get_free_memory(self, dev: Any = None, torch_free_too: bool = False) -> Any:
        """Bytes free on a device; twice if torch's own are asked for too."""
        free = self._backend.memory(self._name() if dev is None else str(dev))[1]
        return (free, free) if torch_free_too else free

    def get_total_memory(self, dev: Any = None, torch_total_too: bool = False) -> Any:
        """Bytes of a device; twice if torch's own are asked for too."""
        total = self._backend.memory(self._name() if dev is None else str(dev))[0]
        return (total, total) if torch_total_too else total

    def soft_empty_cache(self, force: bool = False) -> None:
        """Give cached memory back to the device."""
        self._backend.release()

    def unload_all_models(self) -> None:
        """Weights leave by themselves when room is needed; nothing to do."""

    def processing_interrupted(self) -> bool:
        """Whether the job that runs was interrupted."""
        call = CURRENT.get()
        return call is not None and call.interrupted

    def throw_exception_if_processing_interrupted(self) -> None:
        """End the node if its job was interrupted.

        Raises:
            Interrupted: it was.
        """
        call = CURRENT.get()
        if call is not None:
            call.check_cancelled()

    def is_device_cpu(self, device: Any) -> bool:
        """Whether a torch.device is the CPU."""
        return getattr(device, "type", "cpu") == "cpu"

    def is_device_mps(self, device: Any) -> bool:
        """Whether a torch.device is one of Apple's."""
        return getattr(device, "type", "") == "mps"

    def should_use_fp16(self, *_: Any, **__: Any) -> bool:
        """Half precision pays on an accelerator."""
        return self._name() != "cpu"


DEVICE_FUNCTIONS = ("vae_device", "text_encoder_device", "unet_inital_load_device")
REST_FUNCTIONS = (
    "intermediate_device",
    "unet_offload_device",
    "vae_offload_device",
    "text_encoder_offload_device",
)


class Flags:
    """`comfy.cli_args.args`: ComfyUI's flags, none of which is set."""

    listen = "127.0.0.1"
    port = 8188

    def __getattr__(self, name: str) -> bool:
        """Not set."""
        if name.startswith("__"):
            raise AttributeError(name)
        return False


ABSENT = (
    *("clip_vision", "controlnet", "latent_formats", "lora", "model_base", "model_patcher"),
    *("ops", "sd"),
)
"""Modules that packs import at their top and use in some of their nodes: models are not opened."""


def absent(name: str) -> ModuleType:
    """A module that can be imported and holds nothing."""

    def missing(wanted: str) -> Any:
        raise AttributeError(
            f"{name}.{wanted} is not here: packs cannot open this service's models, "
            "only pass them to its nodes"
        )

    module = ModuleType(name)
    vars(module).update(__getattr__=missing)
    return module


def comfy(registry: Registry) -> dict[str, ModuleType]:
    """The package and its modules by name."""
    package = ModuleType("comfy")
    package.__path__ = []
    utils = ModuleType("comfy.utils")
    vars(utils).update(
        ProgressBar=ProgressBar,
        PROGRESS_BAR_ENABLED=True,
        load_torch_file=load_torch_file,
        common_upscale=common_upscale,
    )
    types = ModuleType("comfy.comfy_types")
    types.__path__ = []
    typing = ModuleType("comfy.comfy_types.node_typing")
    known = {"IO": IO, "ComfyNodeABC": ComfyNodeABC, "CheckLazyMixin": CheckLazyMixin}
    for module in (types, typing):
        vars(module).update(known, InputTypeDict=dict, InputTypeOptions=dict, FileLocator=dict)
    vars(types).update(node_typing=typing)
    management = ModelManagement(registry)
    flags = ModuleType("comfy.cli_args")
    vars(flags).update(args=Flags())
    known_modules = (utils, types, typing, management, flags)
    made = [*known_modules, *(absent(f"comfy.{name}") for name in ABSENT)]
    for module in made:
        setattr(package, module.__name__.rpartition(".")[2], module)
    return {module.__name__: module for module in (package, *made)}
