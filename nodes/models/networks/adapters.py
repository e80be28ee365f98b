"""What the tensors of an adapter do to a weight: one formula for each kind.

An adapter is a mapping of roles (see `lora_names`) to float32 tensors. ``s`` is its strength,
``W`` the weight [out, in] or [out, in, height, width], ``scale`` is alpha / rank, or 1 without
alpha.

- LoRA, also with a Tucker core (LoCon): ``W + s * scale * up @ down``
  (Hu et al. 2021, https://arxiv.org/abs/2106.09685)
- LoHa: ``W + s * scale * (w1_a @ w1_b) * (w2_a @ w2_b)``, number by number
  (Hyeon-Woo et al. 2021, https://arxiv.org/abs/2108.06098)
- LoKr: ``W + s * scale * kron(w1, w2)`` (Yeh et al. 2023, https://arxiv.org/abs/2309.14859)
- GLoRA: ``W + s * scale * (W @ a1 @ a2 + b1 @ b2)``
  (Chavan et al. 2023, https://arxiv.org/abs/2306.07967)
- OFT: rows of W turned in blocks by orthogonal matrices (Qiu et al. 2023,
  https://arxiv.org/abs/2306.07280); BOFT: by several, with a butterfly's order between them
  (Liu et al. 2023, https://arxiv.org/abs/2311.06243)
- IA3: rows or columns of W multiplied (Liu et al. 2022, https://arxiv.org/abs/2205.05638)
- DoRA: the changed weight gets lengths of its own (Liu et al. 2024,
  https://arxiv.org/abs/2402.09353)
- whole differences, and new values

The tensors' layouts are LyCORIS's and PEFT's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias, cast

import torch
from torch import Tensor

from nodes.models.networks.changes import LowRank

Adapter: TypeAlias = Mapping[str, Tensor]
Apply: TypeAlias = Callable[[Tensor], object]
"""Changes a float32 weight in place."""

TINY = 1e-12


def changes_of(adapter: Adapter, strength: float) -> Iterator[tuple[str, Apply]]:
    """What an adapter does: pairs of "weight" or "bias" and a change of it."""
    for complete, make in WEIGHTS:
        if any(roles <= adapter.keys() for roles in complete):
            if "dora" in adapter or "magnitude" in adapter:
                yield "weight", partial(_decompose, adapter, make(adapter, 1.0), strength)
            else:
                yield "weight", make(adapter, strength)
    if "diff_b" in adapter:
        yield "bias", _adding(adapter["diff_b"], strength)
    if "up_b" in adapter:
        yield "bias", _adding(adapter["up_b"], strength * _scale(adapter, "down"))
    if "ia3" in adapter and adapter["ia3"].shape[0] > 1:
        yield "bias", partial(_multiply, adapter["ia3"].flatten(), strength)


def endings(roles: frozenset[str]) -> list[str]:
    """Which of "weight" and "bias" an adapter with these roles may change."""
    found = ["weight"] if any(any(s <= roles for s in sets) for sets, _ in WEIGHTS) else []
    if "diff_b" in roles or {"up_b", "down"} <= roles or "ia3" in roles:
        found.append("bias")
    return found


def _lora(adapter: Adapter, strength: float) -> Apply:
    factor = strength * _scale(adapter, "down")
    if "mid" not in adapter:
        return LowRank(adapter["up"], adapter["down"], factor)
    up, down = adapter["up"].flatten(1), adapter["down"].flatten(1)
    return _adding(torch.einsum("or,rshw,si->oihw", up, adapter["mid"], down), factor)


def _loha(adapter: Adapter, strength: float) -> Apply:
    factors = [_product(adapter, f"w{n}_a", f"w{n}_b", f"t{n}") for n in ("1", "2")]
    return _adding(factors[0] * factors[1], strength * _scale(adapter, "w1_b"))


def _lokr(adapter: Adapter, strength: float) -> Apply:
    factors: list[Tensor] = []
    scale = 1.0
    for n in ("1", "2"):
        whole = adapter.get(f"lokr_w{n}")
        if whole is None:
            whole = _product(adapter, f"lokr_w{n}_a", f"lokr_w{n}_b", f"lokr_t{n}")
            scale = _scale(adapter, f"lokr_w{n}_b")
        factors.append(whole)
    one, two = factors
    one = one.reshape(*one.shape, *[1] * (two.dim() - one.dim()))
    return _adding(torch.kron(one.contiguous(), two.contiguous()), strength * scale)


def _glora(adapter: Adapter, strength: float) -> Apply:
    a1, a2, b1, b2 = (adapter[role].flatten(1) for role in ("a1", "a2", "b1", "b2"))
    # LyCORIS before 2.1 called the first of two layers a1 and b1, later versions the last.
    old = a1.shape[0] < a1.shape[1]
    if old:
        a1, a2, b1, b2 = a2, a1, b2, b1
    factor = strength * _scale(adapter, "a1" if old else "a2")
    core = adapter.get("bm")
    added = b1 @ b2 if core is None else torch.einsum("or,rshw,si->oihw", b1, core, b2)

    def change(weight: Tensor) -> None:
        turned = torch.einsum("oi...,ir,rj->oj...", weight, a1.to(weight), a2.to(weight))
        turned += added.to(weight).reshape(weight.shape)
        weight.add_(turned, alpha=factor)

    return change


def _oft(adapter: Adapter, strength: float) -> Apply:
    return partial(_turn, adapter, strength)


def _turn(adapter: Adapter, strength: float, weight: Tensor) -> None:
    """Rows of a weight turned by OFT ([blocks, size, size]) or BOFT ([stages, blocks, ...])."""
    if "oft_r" in adapter:
        turns = adapter["oft_r"].to(weight)
    else:
        limit = float(adapter["alpha"]) * weight.shape[0] if "alpha" in adapter else 0.0
        turns = _orthogonal(adapter["oft"].to(weight), limit)
    size = turns.shape[-1]
    if turns.shape[-3] * size != weight.shape[0]:
        raise RuntimeError(f"it turns {turns.shape[-3] * size} rows")
    turns = strength * turns + (1 - strength) * torch.eye(size).to(weight)
    if turns.dim() == 3:
        blocks = weight.view(turns.shape[0], size, -1)
        turned = torch.einsum("knm,knx->kmx", turns, blocks).view(weight.shape)
    else:
        turned = weight.flatten(1)
        for stage, turn in enumerate(turns):
            half = 2**stage * (size // 2)
            columns = turned.shape[1]
            halves = turned.view(-1, 2, half, columns).transpose(1, 2)
            mixed = torch.einsum("kij,kjx->kix", turn, halves.reshape(-1, size, columns))
            turned = mixed.reshape(-1, half, 2, columns).transpose(1, 2).reshape(-1, columns)
        turned = turned.view(weight.shape)
    if "rescale" in adapter:
        by = adapter["rescale"].to(weight).flatten()
        turned = turned * (1 + strength * (by - 1)).view(-1, *[1] * (weight.dim() - 1))
    weight.copy_(turned)


def _orthogonal(blocks: Tensor, limit: float) -> Tensor:
    """Cayley's orthogonal matrices of some blocks [..., size, size]; a limit > 0 of their norm."""
    skew = blocks - blocks.mT
    if limit > 0:
        skew = skew * min(1.0, limit / (float(skew.square().sum().sqrt()) + 1e-8))
    unit = torch.eye(blocks.shape[-1]).to(blocks)
    # As both commute, (1 + Q) (1 - Q)^-1 is what solves (1 - Q) R = 1 + Q.
    turns = cast(Tensor, torch.linalg.solve(unit - skew, unit + skew))  # pyright: ignore[reportUnknownMemberType] - torch leaves it untyped
    return turns


def _ia3(adapter: Adapter, strength: float) -> Apply:
    if "ia3" in adapter:
        return partial(_multiply, adapter["ia3"], strength)
    # LyCORIS keeps the difference to 1, and says in words which side it is of.
    along = 1 if float(adapter["on_input"]) else 0
    return partial(_multiply_along, along, adapter["factor"].flatten() + 1, strength)


def _multiply(by: Tensor, strength: float, weight: Tensor) -> None:
    """PEFT's IA3: rows, or columns where the factors lie so ([1, columns])."""
    rows = by.numel() == weight.shape[0] and (by.dim() == 1 or by.shape[0] > 1 or by.dim() > 2)
    _multiply_along(0 if rows else 1, by.flatten(), strength, weight)


def _multiply_along(axis: int, by: Tensor, strength: float, weight: Tensor) -> None:
    shape = [1] * weight.dim()
    shape[axis] = -1
    weight.mul_((1 + strength * (by.to(weight) - 1)).view(shape))


def _diff(adapter: Adapter, strength: float) -> Apply:
    return _adding(adapter["diff"], strength)


def _set(adapter: Adapter, strength: float) -> Apply:
    value = adapter["set"]
    return lambda weight: weight.copy_(value.reshape(weight.shape))


def _decompose(adapter: Adapter, change: Apply, strength: float, weight: Tensor) -> None:
    """DoRA: the changed weight with lengths of its rows, or columns, of its own.

    At another strength than 1 it goes that far of the way from the weight to it.
    """
    magnitude = adapter["magnitude"] if "magnitude" in adapter else adapter["dora"]
    merged = weight.clone()
    change(merged)
    # PEFT keeps a length for each output, LyCORIS also for each input: [1, inputs].
    by_row = "magnitude" in adapter or magnitude.shape[:1] == weight.shape[:1]
    axis = 0 if by_row else 1
    others = [other for other in range(weight.dim()) if other != axis]
    length = merged.square().sum(dim=others, keepdim=True).sqrt().clamp_min(TINY)
    merged *= magnitude.to(weight).reshape(length.shape) / length
    weight.lerp_(merged, strength)


def _adding(delta: Tensor, factor: float) -> Apply:
    return lambda weight: weight.add_(delta.to(weight).reshape(weight.shape), alpha=factor)


def _product(adapter: Adapter, first: str, second: str, core: str) -> Tensor:
    """The product of two low ranks, with a Tucker core between them where there is one."""
    a, b = adapter[first], adapter[second]
    if core in adapter:
        return torch.einsum("rshw,si,ro->oihw", adapter[core], b, a)
    return a @ b


def _scale(adapter: Adapter, ranked: str) -> float:
    """Alpha / rank, the rank being the rows of `ranked`; 1 without alpha or rank."""
    rank = adapter[ranked].shape[0]
    return float(adapter["alpha"]) / rank if "alpha" in adapter and rank else 1.0


WEIGHTS: tuple[tuple[tuple[frozenset[str], ...], Callable[[Adapter, float], Apply]], ...] = (
    ((frozenset({"set"}),), _set),
    ((frozenset({"diff"}),), _diff),
    ((frozenset({"up", "down"}),), _lora),
    ((frozenset({"w1_a", "w1_b", "w2_a", "w2_b"}),), _loha),
    (
        tuple(
            frozenset(f"lokr_w{end}" for end in (*one, *two))
            for one in (("1",), ("1_a", "1_b"))
            for two in (("2",), ("2_a", "2_b"))
        ),
        _lokr,
    ),
    ((frozenset({"a1", "a2", "b1", "b2"}),), _glora),
    ((frozenset({"oft"}), frozenset({"oft_r"})), _oft),
    ((frozenset({"ia3"}), frozenset({"factor", "on_input"})), _ia3),
)
"""Which roles make a change of a weight together, and of which kind."""
