"""Which weights of a file are stored in few bits, and which of its tensors make up each.

Known are eight bits with or without a scale (fp8 as ComfyUI, DeepSeek and quanto write it, whole
numbers as they and bitsandbytes do), four bits by a table (nf4 and fp4 of bitsandbytes), and the
blocks of GGUF files. Nothing here needs torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from nodes.models.files.gguf import BLOCK_SIZES
from nodes.models.files.tensor_info import BrokenHeader, TensorInfo, TensorInfos

FP8 = ("F8_E4M3", "F8_E5M2")
EIGHT_BITS = (*FP8, "I8")
SCALES = {
    ".weight": (
        ".scale_weight", ".weight_scale", ".weight_scale_inv", ".weight.scale", ".SCB",
    ),
    ".weight._data": (".weight._scale",),
}  # fmt: skip
"""By the ending of a weight, those of its scale; `SCB` is 127 times as large."""
WHOLE = 127
"""What bitsandbytes multiplies its scales by: the largest whole number of eight bits."""
IDLE = (
    ".scale_input", ".input_scale", ".output_scale", ".weight_format", ".comfy_quant",
    "scaled_fp8",
)  # fmt: skip
"""Endings of tensors that say nothing more of a weight: of activations, and marks."""
STATE = ".quant_state.bitsandbytes__"
TABLES = ("nf4", "fp4")
STATE_LIMIT = 1 << 16
READ_FORMATS = ("float8_e4m3fn", "float8_e5m2", "int8_tensorwise", "int8")
"""What ComfyUI's description of a weight may call its format."""
TWISTS = ("convrot", "zero_point", "rotation")
"""Words in it that mean that its numbers are not only scaled."""


@dataclass(frozen=True)
class Quantization:
    """How a weight is stored in few bits.

    Attributes:
        kind: eight bits with a scale, a table of sixteen values, or GGUF's blocks.
        format: of the numbers, for people too.
        shape: that the weight has for its network.
        tensors: what of it is in which tensor of the file: "data", "scale", "absmax", ...
        nbytes: what it takes in memory.
        facts: numbers for dequantization: "divisor", "blocksize", "nested_blocksize", "offset".
    """

    kind: Literal["scaled", "table", "blocks"]
    format: str
    shape: tuple[int, ...]
    tensors: Mapping[str, str] = field(repr=False)
    nbytes: int
    facts: Mapping[str, float] = field(default_factory=dict[str, float], repr=False)

    @property
    def stays(self) -> bool:
        """Whether its tensor is a weight as it is, only in few bits."""
        return self.kind == "scaled" and len(self.tensors) == 1


def find_quantizations(
    infos: TensorInfos, metadata: Mapping[str, str], read: Callable[[TensorInfo], bytes]
) -> tuple[dict[str, Quantization], set[str]]:
    """The quantized weights of a file by their names, and all tensors that are no weights.

    Args:
        infos: the tensors of the file.
        metadata: its free texts.
        read: the bytes of a small tensor.

    Raises:
        BrokenHeader: parts of a weight are missing or do not fit each other, or it is
            quantized in a way that is not known.
    """
    _check_descriptions(infos, metadata, read)
    found: dict[str, Quantization] = {}
    taken: set[str] = set()
    for name, info in infos.items():
        if info.format in BLOCK_SIZES:
            found[name] = Quantization(
                "blocks", info.format, info.shape, {"data": name}, info.nbytes
            )
        elif STATE in name:
            weight = name.partition(STATE)[0]
            found[weight] = _table(infos, weight, name, read(info))
            taken |= {other for other in infos if other.startswith(f"{weight}.")}
        elif info.format in EIGHT_BITS and (whole := _scaled(infos, name)) is not None:
            logical = name.removesuffix("._data")
            found[logical] = whole
            taken |= {*whole.tensors.values()}
    idle = {name for name in infos if name.endswith(IDLE)} if found else set[str]()
    return found, (taken | idle) - found.keys()


def _scaled(infos: TensorInfos, name: str) -> Quantization | None:
    """Eight bits, with or without a scale; None: an ordinary tensor of such numbers."""
    ending = next((end for end in reversed(SCALES) if name.endswith(end)), None)
    info = infos[name]
    if ending is None or not info.shape:
        return None
    stem = name.removesuffix(ending)
    scale = next((stem + end for end in SCALES[ending] if stem + end in infos), None)
    if scale is None:
        if info.format == "I8":
            raise BrokenHeader(
                f"{name[:100]} is of whole numbers without a scale, so that it is not known what "
                "they mean; get the file again, or in another precision"
            )
        known = {"data": name}
        matrix = len(info.shape) > 1
        return (
            Quantization("scaled", info.format, info.shape, known, info.nbytes) if matrix else None
        )
    sides = infos[scale].shape
    if infos[scale].format not in ("F32", "F16", "BF16") or not _scales(sides, info.shape):
        raise BrokenHeader(
            f"{scale[:100]} has the shape {list(sides)} in {infos[scale].format}, which is no "
            f"scale of a weight of shape {list(info.shape)}"
        )
    facts = {"divisor": float(WHOLE)} if scale.endswith(".SCB") else {}
    nbytes = info.nbytes + 4 * math.prod(sides)
    tensors = {"data": name, "scale": scale}
    return Quantization("scaled", info.format, info.shape, tensors, nbytes, facts)


def _scales(scale: Sequence[int], weight: Sequence[int]) -> bool:
    """Whether a tensor can be the scale of a weight: of it all, of rows, or of blocks."""
    if math.prod(scale) == 1 or (scale[0] == weight[0] and math.prod(scale[1:]) == 1):
        return True
    return len(scale) == len(weight) == 2 and all(
        side and size % side == 0 for side, size in zip(scale, weight, strict=True)
    )


def _table(infos: TensorInfos, weight: str, name: str, raw: bytes) -> Quantization:
    """Four bits by a table, as bitsandbytes keeps them; the shape is in a JSON of its own."""
    kind = name.partition(STATE)[2]
    try:
        state: Any = json.loads(raw)
        shape = tuple(int(side) for side in state["shape"])
        facts: dict[str, float] = {"blocksize": int(state["blocksize"])}
        nested = f"{weight}.nested_absmax" in infos
        if nested:
            facts["nested_blocksize"] = int(state["nested_blocksize"])
            facts["offset"] = float(state["nested_offset"])
        count, blocksize = math.prod(shape), int(facts["blocksize"])
        if (
            min(shape, default=0) < 1
            or min(facts["blocksize"], facts.get("nested_blocksize", 1)) < 1
        ):
            raise ValueError
    except (ValueError, LookupError, TypeError, OverflowError):
        raise BrokenHeader(
            f"the description of {weight[:100]} is none; the file is damaged, get it again"
        ) from None
    if kind not in TABLES:
        raise BrokenHeader(
            f"{weight[:100]} is in {kind[:30]!r} of bitsandbytes, which is not read; nf4, fp4 and "
            "int8 are"
        )
    blocks = -(-count // blocksize)
    tensors = {"data": weight, "absmax": f"{weight}.absmax", "table": f"{weight}.quant_map"}
    wanted = {"data": -(-count // 2), "absmax": blocks, "table": 16}
    if nested:
        tensors |= {
            "nested": f"{weight}.nested_absmax", "nested_table": f"{weight}.nested_quant_map"
        }  # fmt: skip
        wanted |= {"nested": -(-blocks // int(facts["nested_blocksize"])), "nested_table": 256}
    for role, of_file in tensors.items():
        if of_file not in infos or math.prod(infos[of_file].shape) != wanted[role]:
            raise BrokenHeader(
                f"{weight[:100]} has no {of_file.removeprefix(weight)[:100] or 'data'} of "
                f"{wanted[role]} numbers; the file is damaged, get it again"
            )
    nbytes = wanted["data"] + 4 * (blocks + 16)
    return Quantization("table", kind.upper(), shape, tensors, nbytes, facts)


def _check_descriptions(
    infos: TensorInfos, metadata: Mapping[str, str], read: Callable[[TensorInfo], bytes]
) -> None:
    """Check what a file says of its weights' formats in words.

    Raises:
        BrokenHeader: a format that is not read.
    """
    for name, said in _descriptions(infos, metadata, read):
        if not isinstance(said, dict):
            continue
        words = cast("dict[str, Any]", said)
        format = words.get("format", READ_FORMATS[0])
        twist = next((word for word in TWISTS if words.get(word)), None)
        if format not in READ_FORMATS or twist is not None:
            what = str(format)[:60] if twist is None else f"{str(format)[:60]} with {twist}"
            raise BrokenHeader(
                f"{name[:100]} is in the format {what}, which is not read; get the file in fp8, "
                "bf16 or as GGUF"
            )


def _descriptions(
    infos: TensorInfos, metadata: Mapping[str, str], read: Callable[[TensorInfo], bytes]
) -> Iterator[tuple[str, Any]]:
    for name, info in infos.items():
        if name.endswith((".weight_scale_2", ".zero_point")):
            yield name, {"format": "a quantized format of four bits (NVFP4, say)"}
        elif name.endswith(".comfy_quant") and info.nbytes < STATE_LIMIT:
            yield name, _json(read(info))
    layers = _json(metadata.get("_quantization_metadata", "{}"))
    if isinstance(layers, dict):
        of_layers = cast("dict[str, Any]", layers).get("layers")
        if isinstance(of_layers, dict):
            yield from cast("dict[str, Any]", of_layers).items()


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def can_stay_quantized(name: str, shape: Sequence[int]) -> bool:
    """Whether a weight can stay in few bits: a matrix or a convolution, no table of words."""
    return name.endswith("weight") and len(shape) in (2, 4) and "embeddings." not in name
