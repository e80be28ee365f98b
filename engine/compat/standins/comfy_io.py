"""`comfy_api.latest.io`: how nodes of the newer kind say what they are."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ClassVar

from engine.authoring.errors import SoundstageError
from engine.compat.declared import UNTIDY

TYPES: Mapping[str, str] = {
    "AnyType": "*",
    "Audio": "AUDIO",
    "AudioEncoder": "AUDIO_ENCODER",
    "AudioEncoderOutput": "AUDIO_ENCODER_OUTPUT",
    "Boolean": "BOOLEAN",
    "Clip": "CLIP",
    "ClipVision": "CLIP_VISION",
    "ClipVisionOutput": "CLIP_VISION_OUTPUT",
    "Conditioning": "CONDITIONING",
    "ControlNet": "CONTROL_NET",
    "Float": "FLOAT",
    "FlowControl": "FLOW_CONTROL",
    "Gligen": "GLIGEN",
    "Guider": "GUIDER",
    "Hooks": "HOOKS",
    "Image": "IMAGE",
    "Int": "INT",
    "Latent": "LATENT",
    "LatentOperation": "LATENT_OPERATION",
    "LoraModel": "LORA_MODEL",
    "LossMap": "LOSS_MAP",
    "Mask": "MASK",
    "Mesh": "MESH",
    "Model": "MODEL",
    "ModelPatch": "MODEL_PATCH",
    "Noise": "NOISE",
    "Photomaker": "PHOTOMAKER",
    "Sampler": "SAMPLER",
    "Sigmas": "SIGMAS",
    "String": "STRING",
    "StyleModel": "STYLE_MODEL",
    "UpscaleModel": "UPSCALE_MODEL",
    "Vae": "VAE",
    "Video": "VIDEO",
    "Voxel": "VOXEL",
    "Webcam": "WEBCAM",
}
"""Members of `io` that stand for a type, and its name on the wire."""
OPTION_NAMES: Mapping[str, str] = {
    "display_mode": "display",
    "dynamic_prompts": "dynamicPrompts",
    "force_input": "forceInput",
    "raw_link": "rawLink",
    "widget_type": "widgetType",
}
"""Options that object_info spells otherwise."""
DYNAMIC = ("Autogrow", "DynamicCombo", "DynamicSlot")


class NotUnderstood(SoundstageError):
    """A node needs a part of the newer API that is not here."""


class NumberDisplay(enum.StrEnum):
    """How a number is edited."""

    number = "number"
    slider = "slider"
    knob = "knob"


class UploadType(enum.StrEnum):
    """What a choice lets users upload."""

    image = "image_upload"
    audio = "audio_upload"
    video = "video_upload"
    model = "file_upload"


class FolderType(enum.StrEnum):
    """A folder of the home."""

    input = "input"
    output = "output"
    temp = "temp"


class Hidden(enum.StrEnum):
    """What a node may ask for besides its inputs."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"
    auth_token_comfy_org = "AUTH_TOKEN_COMFY_ORG"
    api_key_comfy_org = "API_KEY_COMFY_ORG"


@dataclass(frozen=True)
class Input:
    """One input of a node.

    Attributes:
        id: its name.
        io_type: its type.
        optional: whether it may be left out.
        options: as object_info has them.
    """

    id: str
    io_type: str
    optional: bool
    options: dict[str, Any]

    def as_v1(self) -> tuple[str, dict[str, Any]]:
        """Its entry in INPUT_TYPES."""
        return (self.io_type, self.options)


@dataclass(frozen=True)
class Output:
    """One output of a node; what says nothing of itself is called by its type."""

    io_type: str
    id: str | None = None
    display_name: str | None = None
    tooltip: str | None = None
    is_output_list: bool = False


class Socket:
    """A type: `Input` and `Output` make sockets of it.

    Args:
        io_type: its name on the wire.
    """

    Type = Any
    positional = ("display_name", "optional", "tooltip", "lazy")

    def __init__(self, io_type: str) -> None:
        self.io_type = io_type

    def Input(self, id: str, *values: Any, **options: Any) -> Input:
        """An input of this type; `options` as the newer API names them."""
        given = {**dict(zip(self.positional, values, strict=False)), **options}
        optional, more = given.pop("optional", False), given.pop("extra_dict", None)
        upload = given.pop("upload", None)
        found = {
            OPTION_NAMES.get(name, name): value
            for name, value in given.items()
            if value is not None
        }
        if upload is not None:
            found[str(upload)] = True
        return Input(id, self.io_type, bool(optional), {**found, **(more or {})})

    def Output(self, *values: Any, **options: Any) -> Output:
        """An output of this type: its id, display_name, tooltip, is_output_list."""
        names = ("id", "display_name", "tooltip", "is_output_list")
        given = {**dict(zip(names, values, strict=False)), **options}
        return Output(self.io_type, **{name: given[name] for name in names if name in given})


class ComboSocket(Socket):
    """A choice; its options come first, a list or an enum."""

    positional = ("options", *Socket.positional)

    def Input(self, id: str, *values: Any, **options: Any) -> Input:
        """An input that chooses among `options`."""
        made = super().Input(id, *values, **options)
        listed: Iterable[Any] = made.options.get("options") or ()
        return Input(id, self.io_type, made.optional, {**made.options, "options": [*listed]})


class MultiType:
    """An input that takes links of several types."""

    @staticmethod
    def Input(id: str | Input, types: Sequence[Socket], **options: Any) -> Input:
        """An input of any of `types`; an Input in the place of the id is a widget as well."""
        names = [kind.io_type for kind in types]
        if isinstance(id, Input):
            joined = ",".join(dict.fromkeys([id.io_type, *names]))
            return Input(id.id, joined, id.optional, id.options)
        return Socket(",".join(names)).Input(id, **options)


class MatchType(Socket):
    """A type that inputs and outputs of a node share; here it is any type."""

    class Template:
        """Which inputs and outputs share a type."""

        def __init__(self, template_id: str, allowed_types: Any = None) -> None:
            self.template_id = template_id
            self.allowed_types = allowed_types

    def Input(self, id: str, template: Any = None, *values: Any, **options: Any) -> Input:
        """An input of the shared type."""
        return super().Input(id, *values, **options)


@dataclass
class Schema:
    """What a node is.

    Raises:
        TypeError: `node_id` is missing.
    """

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: Sequence[Input] = ()
    outputs: Sequence[Output] = ()
    hidden: Sequence[str] = ()
    description: str = ""
    search_aliases: Sequence[str] = ()
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_dev_only: bool = False
    is_api_node: bool = False
    not_idempotent: bool = False
    enable_expand: bool = False
    accept_all_inputs: bool = False
    has_intermediate_output: bool = False
    essentials_category: str | None = None
    price_badge: Any = None

    def input_types(self) -> dict[str, dict[str, Any]]:
        """As INPUT_TYPES returns it."""
        sections: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
        for input in self.inputs or ():
            sections["optional" if input.optional else "required"][input.id] = input.as_v1()
        if not sections["optional"]:
            del sections["optional"]
        if self.accept_all_inputs:
            sections["optional"] = TakesAll(sections.get("optional", {}))
        if self.hidden:
            sections["hidden"] = {kind.lower(): (str(kind),) for kind in self.hidden}
        return sections


class TakesAll(dict[str, Any]):
    """Optional inputs of a node that takes every input."""

    def __contains__(self, key: object) -> bool:
        return key == UNTIDY or super().__contains__(key)


@dataclass
class HiddenHolder:
    """What a node finds as `cls.hidden`; None for what its schema does not ask for."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])

    def __getattr__(self, name: str) -> Any:
        if name not in Hidden.__members__:
            raise AttributeError(name)
        return self.values.get(name)


class ComfyNode:
    """Base of nodes of the newer kind; they are classes, of which no objects are made.

    Attributes:
        hidden: filled in for each call.
    """

    hidden: ClassVar[HiddenHolder] = HiddenHolder()

    @classmethod
    def define_schema(cls) -> Schema:
        """What the node is."""
        raise NotImplementedError(f"{cls.__name__} has no define_schema")

    @classmethod
    def execute(cls, **given: Any) -> Any:
        """Run the node."""
        raise NotImplementedError(f"{cls.__name__} has no execute")


class NodeOutput:
    """What a node gives.

    Args:
        args: its outputs.
        ui: what it shows: a dict of lists, or an object that has `as_dict`.
        expand: a graph in its place.
        block_execution: why nothing that takes from it shall run.
    """

    def __init__(
        self,
        *args: Any,
        ui: Any = None,
        expand: dict[str, Any] | None = None,
        block_execution: str | None = None,
    ) -> None:
        self.args = args
        self.ui = ui
        self.expand = expand
        self.block_execution = block_execution

    @property
    def result(self) -> tuple[Any, ...] | None:
        """The outputs, or None if there are none."""
        return self.args or None


class ComfyExtension:
    """What a pack's `comfy_entrypoint` returns."""

    async def on_load(self) -> None:
        """Called before its nodes are asked for."""

    async def get_node_list(self) -> list[type[ComfyNode]]:
        """Its nodes."""
        return []


PUBLIC = (
    *(ComfyExtension, ComfyNode, FolderType, Hidden, HiddenHolder, Input, MultiType, NodeOutput),
    *(NumberDisplay, Output, Schema, UploadType),
)


def comfy_io(name: str) -> ModuleType:
    """The module: a socket for each type, and the classes that nodes are made with."""

    def missing(wanted: str) -> Any:
        if wanted in DYNAMIC:
            raise NotUnderstood(f"io.{wanted}: inputs that a prompt makes are not here for packs")
        raise AttributeError(f"module {name!r} has no attribute {wanted!r}")

    module = ModuleType(name)
    vars(module).update({member.__name__: member for member in PUBLIC})
    vars(module).update({member: Socket(io_type) for member, io_type in TYPES.items()})
    vars(module).update(
        Combo=ComboSocket("COMBO"), MatchType=MatchType("*"), Custom=Socket, __getattr__=missing
    )
    return module
