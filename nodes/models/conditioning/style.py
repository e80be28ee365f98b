"""Style models: networks from vision outputs to tokens of a conditioning.

Two are known: the style adapter of T2I-Adapter (Mou et al. 2023, https://arxiv.org/abs/2302.08453)
for SD 1, and FLUX.1 Redux, two layers over SigLIP's tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from nodes.models.conditioning.vision import Seen
from nodes.models.families.detection import looks
from nodes.models.files.pieces import NetworkSource, whole
from nodes.models.files.tensor_files import ModelFileError, read_header
from nodes.models.networks.building import built
from nodes.models.networks.network import Handle, Network
from nodes.models.networks.precision import compute_dtype

STYLE = "style model"
HEADS = 8


class QuickGelu(nn.Module):
    """OpenAI CLIP's activation."""

    def forward(self, x: Tensor) -> Tensor:
        """``x * sigmoid(1.702 x)``."""
        return x * torch.sigmoid(1.702 * x)


class StyleLayer(nn.Module):
    """A transformer layer of CLIP, over [B, tokens, width]."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, inner))
        self.mlp.add_module("gelu", QuickGelu())
        self.mlp.add_module("c_proj", nn.Linear(inner, width))

    def forward(self, x: Tensor) -> Tensor:
        """Add what each token takes from the others, and what it makes of itself."""
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class StyleAdapter(nn.Module):
    """Own tokens attend to those of a picture, and are projected to the width of texts.

    Args:
        tokens: how many.
        width: of the tokens of the picture.
        context: width of the words.
        layers: how many transformer layers.
        inner: width inside of them.
    """

    def __init__(self, tokens: int, width: int, context: int, layers: int, inner: int) -> None:
        super().__init__()
        self.style_embedding = nn.Parameter(torch.empty(1, tokens, width))
        self.proj = nn.Parameter(torch.empty(width, context))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer_layes = nn.Sequential(*(StyleLayer(width, inner) for _ in range(layers)))

    def forward(self, seen: Tensor) -> Tensor:
        """Tokens [B, tokens, context] of the last hidden state [B, n, width] of a picture."""
        own = self.style_embedding.expand(len(seen), -1, -1)
        x = self.transformer_layes(self.ln_pre(torch.cat([seen, own], dim=1)))
        return self.ln_post(x[:, -own.shape[1] :]) @ self.proj


class Redux(nn.Module):
    """Two layers from the tokens of a picture to as many words."""

    def __init__(self, width: int, inner: int, context: int) -> None:
        super().__init__()
        self.redux_up, self.redux_down = nn.Linear(width, inner), nn.Linear(inner, context)

    def forward(self, seen: Tensor) -> Tensor:
        """Tokens [B, n, context] of the last hidden state [B, n, width] of a picture."""
        return self.redux_down(silu(self.redux_up(seen)))


@dataclass(frozen=True, eq=False)
class StyleModel(Handle[nn.Module]):
    """A handle on a style model; the value of STYLE_MODEL sockets.

    Attributes:
        shapes: of its weights.
    """

    shapes: dict[str, tuple[int, ...]] = field(repr=False)

    def dtype_on(self, device: str) -> torch.dtype:
        """float16 where the device does it well: bfloat16 has too few steps for this."""
        return compute_dtype(device, ("fp16",))

    def load(self, device: str) -> Network[nn.Module]:
        """Read the weights to `device`."""
        return Network(self.source, built(self._module), device, self.dtype_on(device))

    def _module(self) -> nn.Module:
        shapes = self.shapes
        if "redux_up.weight" in shapes:
            inner, width = shapes["redux_up.weight"]
            return Redux(width, inner, shapes["redux_down.weight"][0])
        _, tokens, width = shapes["style_embedding"]
        layers = {name.split(".")[1] for name in shapes if name.startswith("transformer_layes.")}
        inner = shapes["transformer_layes.0.mlp.c_fc.weight"][0]
        return StyleAdapter(tokens, width, shapes["proj"][1], len(layers), inner)

    @torch.no_grad()
    def words(self, seen: Seen) -> Tensor:
        """Tokens [1, n, width] of all pictures; float32 on the CPU.

        Raises:
            ValueError: they are of another vision encoder.
        """
        network = self.network
        module: Any = network.module
        given, last = self._width(), seen.last_hidden_state
        if last.shape[-1] != given:
            raise ValueError(
                f"the style model takes what a vision encoder {given} wide saw, and this one is "
                f"{last.shape[-1]} wide; load the vision encoder that it was made for"
            )
        made: Tensor = module(last.to(network.device, network.dtype))
        return made.float().cpu().flatten(0, 1)[None]

    def _width(self) -> int:
        if "redux_up.weight" in self.shapes:
            return self.shapes["redux_up.weight"][1]
        return self.shapes["style_embedding"][2]


def read_style_model(path: Path) -> StyleModel:
    """The style model that a file holds.

    Raises:
        ModelFileError: it holds none that is known.
    """
    header = read_header(path)
    shapes = dict(header.shapes)
    adapter = {"style_embedding", "proj", "transformer_layes.0.mlp.c_fc.weight"} <= shapes.keys()
    if not adapter and not {"redux_up.weight", "redux_down.weight"} <= shapes.keys():
        raise ModelFileError(
            f"{path}: not a style model; it looks like {looks(shapes)}. Supported are the style "
            "adapter of T2I-Adapter and FLUX.1 Redux"
        )
    return StyleModel(NetworkSource(header, whole({n: n for n in shapes}), "", {}, STYLE), shapes)
