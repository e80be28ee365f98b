"""Hypernetworks in files: small networks that change the keys and values of attention.

The files of AUTOMATIC1111's web UI: for each width two dicts of weights, "linear.0.weight" and so
on, and beside them what stands between the layers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from nodes.models.files.torch_files import TorchFileError, TorchTensors, read_torch_file
from nodes.models.networks.unet_patches import Hypernetwork

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "linear": nn.Identity, "relu": nn.ReLU, "leakyrelu": nn.LeakyReLU, "elu": nn.ELU,
    "swish": nn.Hardswish, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softsign": nn.Softsign,
    "mish": nn.Mish,
}  # fmt: skip
WEIGHT = re.compile(r"(\d+)\.([01])\.(.+)\.weight")


def read_hypernetwork(path: Path, strength: float) -> Hypernetwork:
    """The hypernetwork of a torch file.

    Raises:
        TorchFileError: it is none, or has a function between its layers that is not known.
    """
    file = read_torch_file(path)
    tensors = TorchTensors(file)
    names: dict[tuple[int, int], list[str]] = {}
    for name in tensors:
        if found := WEIGHT.fullmatch(name):
            names.setdefault((int(found[1]), int(found[2])), []).append(name[: -len(".weight")])
    widths = {width for width, _ in names if (width, 0) in names and (width, 1) in names}
    if not widths:
        raise TorchFileError("holds no hypernetwork; take a file that was trained as one")
    function = str(file.content.get("activation_func") or "linear").lower()
    if function not in ACTIVATIONS:
        raise TorchFileError(
            f"its activation_func {function[:40]!r} is not known; known are {[*ACTIVATIONS]}"
        )
    ends = bool(file.content.get("activate_output", False))
    made = {key: _network(tensors, stems, function, ends) for key, stems in names.items()}
    return Hypernetwork({width: (made[width, 0], made[width, 1]) for width in widths}, strength)


def _network(
    tensors: Mapping[str, Tensor], stems: list[str], function: str, activate_output: bool
) -> nn.Module:
    """Layers in the order of the file; vectors of weights are of a normalisation."""
    linear = [stem for stem in stems if tensors[f"{stem}.weight"].ndim == 2]
    layers: list[nn.Module] = []
    for stem in stems:
        weight, bias = tensors[f"{stem}.weight"].float(), tensors[f"{stem}.bias"].float()
        layer: Any
        if weight.ndim == 2:
            layer = nn.Linear(weight.shape[1], weight.shape[0])
        else:
            layer = nn.LayerNorm(weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": bias})
        layers.append(layer)
        if weight.ndim == 2 and (stem != linear[-1] or activate_output):
            layers.append(ACTIVATIONS[function]())
    return nn.Sequential(*layers).requires_grad_(False).eval()
