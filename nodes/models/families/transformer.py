"""What families of diffusion transformers have in common: packing, positions, references, inputs.

A transformer sees patches of the latents as tokens. All else sees latents with rows and columns, so
families pack them in their `call`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nodes.models.families.family import Facts

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.conditioning.inputs import Input, InputsRequest

REFERENCE = "reference."
"""Begins the names of inputs that are reference latents: ``reference.offset.000``."""
TEXT_MASK = "text_mask"
"""Name of an input: 1 for the tokens of the text that count, [1, tokens]."""


def text(request: InputsRequest, facts: Facts, width: int) -> Input:
    """The text as an input of the network, [1, tokens, width].

    Raises:
        ValueError: it is of another width than the network takes.
    """
    from nodes.models.conditioning.inputs import Collation, Input

    found = int(request.text.shape[-1])
    if found != width:
        of = request.options.get("encoded_for")
        by = "" if of is None else f", encoded for {of},"
        raise ValueError(
            f"the conditioning{by} is {found} wide and this model, {facts.family}, takes {width}; "
            f"encode the text with the text encoder of {facts.family}: choose its type in the "
            "node that loads the CLIP"
        )
    return Input(request.text, Collation.TEXT)


def text_mask(request: InputsRequest) -> dict[str, Input]:
    """Which tokens of the text count, where the conditioning says so and not all do."""
    import torch

    from nodes.models.conditioning.inputs import Collation, Input

    mask: Tensor | None = request.options.get("attention_mask")
    if mask is None or bool(torch.all(mask != 0)):
        return {}
    return {TEXT_MASK: Input(mask.reshape(1, -1), Collation.EACH)}


def pooled(request: InputsRequest, width: int) -> Input:
    """The pooled text as an input [1, width]; zeros where the conditioning has none.

    Raises:
        ValueError: it is of another width.
    """
    import torch

    from nodes.models.conditioning.inputs import Collation, Input

    found: Tensor | None = request.options.get("pooled_output")
    if found is None:
        found = torch.zeros(1, width)
    if found.shape[-1] != width:
        raise ValueError(
            f"this model is given a pooled text of {width} numbers beside the text, and the "
            f"conditioning has one of {found.shape[-1]}; encode the text with the text encoders "
            "of this family"
        )
    return Input(found, Collation.EACH)


def number(value: float) -> Input:
    """A number as an input, [1]."""
    import torch

    from nodes.models.conditioning.inputs import Collation, Input

    return Input(torch.tensor([float(value)]), Collation.EACH)


def references(request: InputsRequest, facts: Facts, usual: str = "offset") -> dict[str, Input]:
    """The reference latents of a conditioning in the unit of the denoiser, in their order.

    Args:
        request: has them as ``reference_latents``, with ``reference_latents_method``.
        facts: of the model.
        usual: the method where the conditioning names none.

    Raises:
        ValueError: one is of another kind of model.
    """
    from nodes.models.conditioning.inputs import Collation, Input

    given: Sequence[Tensor] = request.options.get("reference_latents") or ()
    method = request.options.get("reference_latents_method") or usual
    found: dict[str, Input] = {}
    for place, latents in enumerate(given):
        if latents.shape[1] != facts.latent.channels:
            raise ValueError(
                f"reference latent {place + 1} has {latents.shape[1]} channels and this model, "
                f"{facts.family}, works on {facts.latent.channels}; encode the picture with the "
                "VAE of this family"
            )
        inside = facts.latent.process_in(latents.float())
        found[f"{REFERENCE}{method}.{place:03}"] = Input(inside, Collation.EACH)
    return found


def given_references(inputs: Mapping[str, Tensor]) -> tuple[str, list[Tensor]]:
    """The method and the reference latents among the inputs of a call; "" and none: no such."""
    names = sorted(name for name in inputs if name.startswith(REFERENCE))
    method = names[0].removeprefix(REFERENCE).partition(".")[0] if names else ""
    return method, [inputs[name] for name in names]


def padded(x: Tensor, patch: int) -> Tensor:
    """Latents [..., h, w] whose sides are multiples of a patch, filled from their beginning."""
    import torch

    for axis in (-2, -1):
        missing = -x.shape[axis] % patch
        if missing:
            x = torch.cat([x, x.narrow(axis, 0, missing)], dim=axis)
    return x


def packed(x: Tensor, patch: int) -> Tensor:
    """Latents [B, C, h, w] as tokens [B, rows x columns, C x patch x patch]."""
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, channels, height // patch, patch, width // patch, patch)
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(
        batch, (height // patch) * (width // patch), channels * patch * patch
    )


def unpacked(tokens: Tensor, patch: int, height: int, width: int) -> Tensor:
    """The inverse of `packed` for latents of a padded size, cut to `height` x `width`."""
    rows, columns = -(-height // patch), -(-width // patch)
    channels = tokens.shape[-1] // patch**2
    parts = tokens.reshape(len(tokens), rows, columns, channels, patch, patch)
    whole = parts.permute(0, 3, 1, 4, 2, 5).reshape(len(tokens), channels, rows * patch, -1)
    return whole[..., :height, :width]


def positions(
    rows: int, columns: int, like: Tensor, *, first: float = 0, top: int = 0, left: int = 0
) -> Tensor:
    """Places of the tokens of a picture, float32 [rows x columns, 3]: of which one, row, column.

    Args:
        rows: of tokens.
        columns: likewise.
        like: on the device that is wanted.
        first: the number on the first axis.
        top: the row of the first.
        left: the column of the first.
    """
    import torch

    found = torch.zeros(rows, columns, 3, device=like.device)
    found[..., 0] = first
    found[..., 1] += torch.arange(top, top + rows, device=like.device)[:, None]
    found[..., 2] += torch.arange(left, left + columns, device=like.device)
    return found.flatten(0, 1)


def config_of(module: Any) -> Any:
    """The configuration of a network, also of one that is compiled or patched."""
    return getattr(module, "module", module).config
