"""How many rows a network evaluates at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nodes.models.networks.batching import CPU_NUMBERS, Batches
from nodes.models.sampling.guiders import StepRequest, answer, cfg_guider
from nodes.models.sampling.noise import initial_noise
from tests.models.conftest import Loaded

SHAPE = torch.Size([4, 8, 8])


def test_rows_that_memory_is_too_short_for_are_halved_and_stay_so():
    batches = Batches("cpu")
    batches.most[SHAPE] = 16  # of a device that says nothing of its memory
    tried: list[int] = []

    def evaluate(x: Tensor, scale: Tensor) -> Tensor:
        tried.append(len(x))
        if len(x) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x * scale

    x, scale = torch.arange(7.0).reshape(-1, 1, 1, 1).expand(7, *SHAPE), torch.tensor(2.0)
    scales = scale.expand(7).reshape(-1, 1, 1, 1)
    assert torch.equal(batches.evaluated(evaluate, x, scales), x * 2)
    assert tried == [7, 3, 3, 1]
    tried.clear()
    batches.evaluated(evaluate, x, scales)
    assert tried == [3, 3, 1], "what was too much is not tried again"
    other = torch.zeros(2, 4, 4, 4)
    batches.evaluated(evaluate, other, torch.ones(2, 1, 1, 1))
    assert tried[3:] == [2], "that was of another size"


def test_one_row_without_memory_is_an_error():
    def evaluate(_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        Batches("cpu").evaluated(evaluate, torch.zeros(4, *SHAPE))


def test_a_cpu_evaluates_no_more_at_once_than_fills_it():
    asked: list[int] = []

    def evaluate(x: Tensor) -> Tensor:
        asked.append(len(x))
        return x

    large = torch.zeros(3, 4, 64, 64)
    assert Batches("cpu").evaluated(evaluate, large).shape == large.shape
    assert asked == [1, 1, 1]
    asked.clear()
    Batches("cpu").evaluated(evaluate, torch.zeros(9, 4, 8, 8))
    assert asked == [9]


def test_many_rows_in_several_evaluations_are_answered_as_each_alone(tiny: Loaded):
    text, none = tiny.clip.encode("cat"), tiny.clip.encode("")
    guider = cfg_guider(tiny.model, text, none, 3.0)
    x = initial_noise(torch.zeros(24, 4, 8, 8), 3) * 2
    assert 2 * x.numel() > CPU_NUMBERS
    (found,) = answer([StepRequest(guider, x, torch.tensor(2.0))])
    for index in (0, 13, 23):
        (alone,) = answer([StepRequest(guider, x[index : index + 1], torch.tensor(2.0))])
        assert torch.allclose(found[index], alone[0], atol=1e-5)
