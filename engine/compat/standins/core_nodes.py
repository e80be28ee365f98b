"""`nodes`: our own nodes as V1 classes, for packs that derive from them or call them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from engine.authoring.protocols import FolderKind
from engine.authoring.registry import Registry
from engine.authoring.spec import NodeSpec
from engine.compat.inner import Overrides, called
from engine.graph.keys import names_files
from engine.graph.node_info import node_info
from engine.store.folders import Folders

MAX_RESOLUTION = 16384
KEPT_TEXTS = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
"""Hidden inputs of nodes that save files: what is kept in them."""

FUNCTION = "run"
METHODS: Mapping[str, str] = {
    "CheckpointLoaderSimple": "load_checkpoint",
    "CLIPTextEncode": "encode",
    "EmptyLatentImage": "generate",
    "ImageBatch": "batch",
    "KSampler": "sample",
    "KSamplerAdvanced": "sample",
    "LoadImage": "load_image",
    "PreviewImage": "save_images",
    "SaveImage": "save_images",
    "VAEDecode": "decode",
}
"""The method of a node that packs call by its name; of all others it is `FUNCTION`."""
ORDERS: Mapping[str, tuple[str, ...]] = {
    "CLIPTextEncode": ("clip", "text"),
    "VAEDecode": ("vae", "samples"),
}
"""Arguments without names, where they are not in the order of the inputs."""
TEMPORARY = ("PreviewImage", "PreviewAudio", "MaskPreview")


class CoreNode:
    """Base of the classes; a pack may give its objects other values for these attributes.

    Attributes:
        output_dir: where files are saved; inside of the home's output, temp or input folder.
        type: of that folder, as results name it.
        prefix_append: goes behind the prefix of their names.
        compress_level: has no effect here.
    """

    output_dir: str = ""
    type: str = "output"
    prefix_append: str = ""
    compress_level: int = 4
    core_spec: ClassVar[NodeSpec]


def core_class(spec: NodeSpec, folders: Folders) -> type[CoreNode]:
    """A node of ours as a V1 class.

    Args:
        spec: the node.
        folders: list the files that it offers.
    """

    def input_types(_: type) -> dict[str, Any]:
        sections = node_info(spec, folders.files)["input"]
        types = {
            section: {name: tuple(config) for name, config in inputs.items()}
            for section, inputs in sections.items()
        }
        return types | ({"hidden": dict(KEPT_TEXTS)} if keeps_texts(spec) else {})

    method = METHODS.get(spec.id, FUNCTION)
    folder: FolderKind = "temp" if spec.id in TEMPORARY else "output"
    members: dict[str, Any] = {
        "__module__": "nodes",
        "__doc__": spec.description,
        "core_spec": spec,
        "output_dir": str(folders.root(folder)),
        "type": folder,
        "INPUT_TYPES": classmethod(input_types),
        "FUNCTION": method,
        method: run_async if spec.kind == "async" else run,
        "RETURN_TYPES": tuple(output.type for output in spec.outputs),
        "RETURN_NAMES": tuple(output.name for output in spec.outputs),
        "OUTPUT_IS_LIST": tuple(output.each for output in spec.outputs),
        "OUTPUT_NODE": spec.is_output,
        "INPUT_IS_LIST": any(input.collects for input in spec.inputs),
        "CATEGORY": spec.category,
        "DESCRIPTION": spec.description,
        **_hooks(spec, folders),
    }
    return type(spec.id, (CoreNode,), members)


def keeps_texts(spec: NodeSpec) -> bool:
    """Whether what a node saves has texts in it."""
    return spec.is_output and spec.run_parameter is not None


def run(self: CoreNode, *values: Any, **given: Any) -> Any:
    """The method of a class: what its node gives for these inputs."""
    return _run(self, values, given)


async def run_async(self: CoreNode, *values: Any, **given: Any) -> Any:
    """The same of an async node."""
    return await _run(self, values, given)


def _run(node: CoreNode, values: tuple[Any, ...], given: dict[str, Any]) -> Any:
    spec = node.core_spec
    given = named(spec, values) | given
    texts: dict[str, Any] | None = None
    if keeps_texts(spec):
        found = {name: given.pop(name) for name in KEPT_TEXTS if name in given}
        texts = found or None
    folder: str | None = vars(node).get("output_dir")
    return called(spec, given, Overrides(folder, node.prefix_append, texts))


def named(spec: NodeSpec, values: Iterable[Any]) -> dict[str, Any]:
    """Arguments that came without names.

    Raises:
        TypeError: there are more than the node has inputs.
    """
    names = list(ORDERS.get(spec.id, [input.name for input in spec.inputs]))
    names += KEPT_TEXTS if keeps_texts(spec) else ()
    given = list(values)
    if len(given) > len(names):
        raise TypeError(f"{spec.id} takes {', '.join(names)}; {len(given)} values were given")
    return dict(zip(names, given, strict=False))


def _hooks(spec: NodeSpec, folders: Folders) -> dict[str, Any]:
    """IS_CHANGED and VALIDATE_INPUTS where the node has files, or gives something new each time."""
    chosen = {
        input.name: files for input in spec.inputs if (files := names_files(input)) is not None
    }

    def is_changed(_: type, *values: Any, **given: Any) -> Any:
        if not spec.pure:
            return float("nan")
        known = named(spec, values) | given
        return [folders.identity(files, str(known.get(name))) for name, files in chosen.items()]

    def validate_inputs(_: type, *values: Any, **given: Any) -> Any:
        for name, value in (dict(zip(uploaded, values, strict=False)) | given).items():
            if name in uploaded and not (isinstance(value, str) and folders.has_input(value)):
                return f"{name}: there is no file {str(value)[:200]!r}; upload it, or choose one"
        return True

    hooks: dict[str, Any] = {}
    uploaded = [input.name for input in spec.inputs if input.name in chosen and input.upload]
    if chosen or not spec.pure:
        hooks["IS_CHANGED"] = classmethod(is_changed)
    if uploaded:
        hooks["VALIDATE_INPUTS"] = classmethod(_asking_for(uploaded, validate_inputs))
    return hooks


def _asking_for(names: Iterable[str], check: Callable[..., Any]) -> Callable[..., Any]:
    """A class's check that names the inputs it judges, as V1 checks do."""
    kinds = inspect.Parameter
    parameters = [
        kinds("cls", kinds.POSITIONAL_ONLY),
        *(kinds(name, kinds.POSITIONAL_OR_KEYWORD) for name in names),
    ]
    setattr(check, "__signature__", inspect.Signature(parameters))  # noqa: B010 - functions have no declared attribute
    return check


def core_nodes(registry: Registry, folders: Folders) -> dict[str, Any]:
    """What packs find in `nodes`: a class for each node, and ways to use them."""
    classes: dict[str, Any] = {id: core_class(spec, folders) for id, spec in registry.nodes.items()}
    return {
        **classes,
        "NODE_CLASS_MAPPINGS": dict(classes),
        "NODE_DISPLAY_NAME_MAPPINGS": {
            id: spec.display_name for id, spec in registry.nodes.items()
        },
        "EXTENSION_WEB_DIRS": {},
        "MAX_RESOLUTION": MAX_RESOLUTION,
        "common_ksampler": common_ksampler(classes),
    }


def common_ksampler(classes: Mapping[str, Any]) -> Callable[..., Any]:
    """The function that packs sample by: KSampler, or KSamplerAdvanced for some of the steps."""

    def sample(
        model: Any,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        positive: Any,
        negative: Any,
        latent: Any,
        denoise: float = 1.0,
        disable_noise: bool = False,
        start_step: int | None = None,
        last_step: int | None = None,
        force_full_denoise: bool = False,
    ) -> Any:
        common = {
            "model": model,
            "steps": steps,
            "cfg": cfg,
            "sampler_name": sampler_name,
            "scheduler": scheduler,
            "positive": positive,
            "negative": negative,
            "latent_image": latent,
        }
        whole = not disable_noise and start_step is None and last_step is None
        if whole:
            return classes["KSampler"]().sample(seed=seed, denoise=denoise, **common)
        if denoise < 1:
            raise ValueError(
                "common_ksampler: denoise below 1 goes with neither disable_noise nor start_step "
                "and last_step here; give one or the other"
            )
        return classes["KSamplerAdvanced"]().sample(
            add_noise="disable" if disable_noise else "enable",
            noise_seed=seed,
            start_at_step=start_step or 0,
            end_at_step=10000 if last_step is None else last_step,
            return_with_leftover_noise="disable" if force_full_denoise else "enable",
            **common,
        )

    return sample
