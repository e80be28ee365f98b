"""How many rows a network evaluates at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nodes.models.networks.batching import CPU_CELLS, Batches
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.sampling.noise import initial_noise
from tests.models.conftest import Loaded

SHAPE = torch.Size([4, 8, 8])


def test_rows_that_memory_is_too_short_for_are_halved_and_stay_so():
    batches = Batches("cpu")
    x = torch.arange(7.0).reshape(-1, 1, 1, 1).expand(7, *SHAPE)
    tried: list[int] = []

    def evaluate(rows: slice) -> Tensor:
        tried.append(len(x[rows]))
        if len(x[rows]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x[rows] * 2

    assert torch.equal(batches.evaluated(evaluate, 7, SHAPE), x * 2)
    assert tried == [7, 3, 3, 1]
    tried.clear()
    batches.evaluated(evaluate, 7, SHAPE)
    assert tried == [3, 3, 1], "what was too much is not tried again"
    tried.clear()
    with pytest.raises(torch.OutOfMemoryError):
        batches.evaluated(lambda rows: evaluate(slice(0, 7)), 1, torch.Size([4, 4, 4]))
    assert tried == [7], "one row cannot be halved"


def test_a_cpu_evaluates_no_more_at_once_than_fills_it():
    asked: list[int] = []

    def evaluate(rows: slice) -> Tensor:
        asked.append(rows.stop - rows.start)
        return torch.zeros(asked[-1], 1)

    assert len(Batches("cpu").evaluated(evaluate, 3, torch.Size([4, 128, 128]))) == 3
    assert asked == [1, 1, 1]
    asked.clear()
    Batches("cpu").evaluated(evaluate, 9, SHAPE)
    assert asked == [9]


def test_rows_that_belong_together_are_never_parted():
    asked: list[tuple[int, int]] = []

    def evaluate(rows: slice) -> Tensor:
        asked.append((rows.start, rows.stop))
        if rows.stop - rows.start > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.zeros(rows.stop - rows.start, 1)

    large = torch.Size([4, 128, 64])
    assert len(Batches("cpu").evaluated(evaluate, 6, large, 3)) == 6
    assert asked == [(0, 3), (3, 6)]
    asked.clear()
    assert len(Batches("cpu").evaluated(evaluate, 12, SHAPE, 3)) == 12
    assert asked == [(0, 12), (0, 6), (0, 3), (3, 6), (6, 9), (9, 12)]
    with pytest.raises(torch.OutOfMemoryError):
        Batches("cpu").evaluated(evaluate, 8, SHAPE, 4)


def test_many_rows_in_several_evaluations_are_answered_as_each_alone(tiny: Loaded):
    text, none = tiny.clip.encode("cat"), tiny.clip.encode("")
    guider = cfg_guider(tiny.model, text, none, 3.0)
    x = initial_noise(torch.zeros(72, 4, 8, 8), 3) * 2
    assert 2 * x[:, 0].numel() > CPU_CELLS
    (found,) = evaluate([StepRequest(guider, x, torch.tensor(2.0))])
    for index in (0, 35, 71):
        (alone,) = evaluate([StepRequest(guider, x[index : index + 1], torch.tensor(2.0))])
        assert torch.allclose(found[index], alone[0], atol=1e-5)
