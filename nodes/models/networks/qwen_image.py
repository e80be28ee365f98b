"""Qwen-Image's transformer: diffusers' own, but for where its tokens stand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from typing import Any

import torch
from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel
from torch import Tensor, nn

THETA = 10000.0


class Grid(tuple[int, int, int]):
    """The tokens of one picture, or of the frames or layers of one: how many frames, rows, columns.

    Args:
        frames, rows, columns: how many.
        first: number of the first frame.
    """

    first: int

    def __new__(cls, frames: int, rows: int, columns: int, *, first: int = 0) -> Grid:
        """The network takes it for the tuple of the three counts."""
        made = super().__new__(cls, (frames, rows, columns))
        made.first = first
        return made

    def places(self) -> Tensor:
        """Frame, row and column of each token, about the middle, float64 [tokens, 3]."""
        frames, rows, columns = self
        return torch.cartesian_prod(
            torch.arange(frames) + self.first,
            torch.arange(rows) - rows // 2,
            torch.arange(columns) - columns // 2,
        ).double()


class Rotations(nn.Module):
    """How far queries and keys turn by the places of their tokens.

    Args:
        axes: how many numbers of a head turn by each axis of the places.
    """

    def __init__(self, axes: Sequence[int]) -> None:
        super().__init__()
        self.axes = tuple(axes)

    def forward(
        self,
        video_fhw: Sequence[Sequence[Grid]],
        max_txt_seq_len: int,
        device: torch.device | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Complex numbers for the picture's tokens and the text's, [tokens, half a head].

        Tokens of the text stand on the diagonal that begins at the edge of the picture.
        """
        grids = video_fhw[0]
        start = max(grids[0][1:]) // 2
        text = torch.arange(start, start + int(max_txt_seq_len)).double()
        picture = torch.cat([grid.places() for grid in grids])
        both = (picture, text[:, None].expand(-1, len(self.axes)))
        turned, words = (self._turned(places).to(device) for places in both)
        return turned, words

    def _turned(self, places: Tensor) -> Tensor:
        angles: list[Tensor] = []
        for axis, width in enumerate(self.axes):
            steps = torch.arange(0, width, 2, dtype=torch.float64) / width
            angles.append(places[:, axis, None] / THETA**steps)
        whole = torch.cat(angles, dim=1).float()
        return torch.polar(torch.ones_like(whole), whole)


class QwenImageTransformer(QwenImageTransformer2DModel):
    """Qwen-Image's transformer."""

    @wraps(QwenImageTransformer2DModel.__init__)  # diffusers looks which settings there are
    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        own: Any = self
        own.pos_embed = Rotations(own.config.axes_dims_rope)

    def forward(self, *given: Any, clean_references: bool = False, **more: Any) -> Any:
        """As diffusers' own.

        `clean_references`: whether tokens of references, all but those of the first grid, are
        taken for tokens without noise.
        """
        own: Any = self
        for part in (own, *own.transformer_blocks):
            part.zero_cond_t = clean_references
        theirs: Any = super()
        return theirs.forward(*given, **more)
