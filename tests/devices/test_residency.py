"""Weights: loaded once, kept within the budget, never taken from whoever uses them."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.devices.residency import Lease, Residency
from tests import patience
from tests.devices.conftest import Model, Weights


def held(residency: Residency, *models: Model, device: str = "cpu") -> Lease:
    lease = residency.lease(models, device)
    assert lease is not None
    residency.load(lease)
    return lease


def used(residency: Residency, *models: Model, device: str = "cpu") -> None:
    residency.release(held(residency, *models, device=device))


def test_weights_are_loaded_when_leased_and_kept_after():
    residency, model = Residency({"cpu": 1000}), Model("a")
    assert model.loads == []
    used(residency, model)
    used(residency, model)
    used(residency, Model("a", loads=model.loads))
    assert model.loads == ["cpu"]
    assert residency.nbytes("cpu") == 100
    assert residency.nbytes("cuda:0") == 0


def test_handles_of_one_base_share_weights_and_are_bound_each():
    residency, one, two = Residency({}), Model("a"), Model("a")
    lease = held(residency, one, two)
    assert one.bound is two.bound is not None
    residency.release(lease)
    third = Model("a", "lora")
    used(residency, third)
    assert one.bound is not None
    assert third.bound is one.bound
    assert one.bound.applied == "lora"
    used(residency, one)
    assert one.bound.applied == ""


def test_each_device_has_weights_of_its_own():
    residency, model = Residency({}), Model("a")
    used(residency, model, device="cpu")
    used(residency, model, device="cuda:0")
    assert model.loads == ["cpu", "cuda:0"]
    assert residency.nbytes("cuda:0") == 100


def test_the_least_recently_used_leave_first():
    residency = Residency({"cpu": 300})
    a, b, c, d = (Model(name) for name in "abcd")
    for model in (a, b, c, a, d):
        used(residency, model)
    assert residency.nbytes("cpu") == 300
    for model in (a, c, d):
        used(residency, model)
    assert [len(model.loads) for model in (a, b, c, d)] == [1, 1, 1, 1]
    used(residency, b)
    assert len(b.loads) == 2, "it was the one that left"


def test_only_as_many_leave_as_must():
    residency = Residency({"cpu": 350})
    small = [Model(str(i)) for i in range(3)]
    for model in small:
        used(residency, model)
    used(residency, Model("big", size=150))
    assert residency.nbytes("cpu") == 350
    used(residency, Model("huge", size=9000))
    assert residency.nbytes("cpu") == 9000, "what one node needs may exceed the budget"


def test_what_is_in_use_stays_over_budget():
    residency = Residency({"cpu": 150})
    a, b = Model("a"), Model("b")
    first = held(residency, a)
    second = held(residency, b)
    assert residency.nbytes("cpu") == 200
    residency.release(first)
    assert residency.nbytes("cpu") == 200, "it leaves when room is needed"
    used(residency, Model("c"))
    assert residency.nbytes("cpu") == 200
    residency.release(second)
    used(residency, b)
    assert len(b.loads) == 1


def test_weights_that_two_lanes_load_at_once_make_room_for_both():
    residency = Residency({"cpu": 1000})
    used(residency, Model("idle", size=400))
    begun, free = threading.Event(), threading.Event()

    class Slow(Model):
        def load(self, device: str) -> Weights:
            begun.set()
            assert free.wait(patience.SECONDS)
            return super().load(device)

    with ThreadPoolExecutor() as lane:
        first = lane.submit(held, residency, Slow("a", size=600))
        assert begun.wait(patience.SECONDS)
        second = held(residency, Model("b", size=600))
        free.set()
        residency.release(first.result())
        residency.release(second)
    assert residency.nbytes("cpu") == 1200, "the idle ones left"


def test_weights_that_left_are_freed():
    residency, model = Residency({"cpu": 100}), Model("a")
    used(residency, model)
    weights = weakref.ref(model.bound or Weights(""))
    model.bound = None
    used(residency, Model("b"))
    gc.collect()
    assert weights() is None


def test_another_patch_waits_until_the_weights_are_free():
    residency = Residency({})
    plain, lora = Model("a"), Model("a", "lora")
    woken: list[str] = []
    residency.on_release(lambda: woken.append("woken"))
    lease = held(residency, plain)
    same = held(residency, Model("a"))
    assert residency.lease([lora], "cpu") is None
    assert residency.lease([Model("b"), lora], "cpu") is None, "all or nothing"
    assert residency.lease([lora], "cuda:0") is not None, "other weights"
    residency.release(lease)
    assert residency.lease([lora], "cpu") is None
    residency.release(same)
    assert woken == ["woken", "woken"]
    used(residency, lora)
    assert lora.bound is plain.bound


def test_a_refused_lease_holds_nothing():
    residency = Residency({})
    b, lora = Model("b"), Model("b", "lora")
    lease = held(residency, Model("a"))
    assert residency.lease([b, Model("a", "lora")], "cpu") is None
    used(residency, lora)
    residency.release(lease)


def test_one_base_patched_twice_in_one_node_is_refused():
    residency = Residency({})
    with pytest.raises(ValueError, match="one model twice, patched differently"):
        residency.lease([Model("a", "one"), Model("a", "two")], "cpu")
    used(residency, Model("a", "two"))


def test_no_models_need_no_weights():
    residency = Residency({"cpu": 0})
    lease = residency.lease([], "cpu")
    assert lease is not None
    residency.load(lease)
    residency.release(lease)


def test_a_model_that_cannot_be_loaded_is_tried_again():
    residency = Residency({"cpu": 100})
    model = Model("a", load_fault=OSError("truncated"))
    lease = residency.lease([model], "cpu")
    assert lease is not None
    with pytest.raises(OSError, match="truncated"):
        residency.load(lease)
    residency.release(lease)
    assert residency.nbytes("cpu") == 0
    used(residency, Model("a", "lora"))
    used(residency, model)
    assert (model.bound, residency.nbytes("cpu")) == (Weights("cpu", ""), 100)


def test_weights_that_could_not_be_patched_are_loaded_anew():
    residency = Residency({})
    plain = Model("a")
    used(residency, plain)
    before = plain.bound
    broken = Model("a", "broken lora", bind_fault=ValueError("no such layer"))
    lease = residency.lease([broken], "cpu")
    assert lease is not None
    with pytest.raises(ValueError, match="no such layer"):
        residency.load(lease)
    residency.release(lease)
    used(residency, plain)
    assert plain.bound is not before
    assert plain.bound == Weights("cpu", "")


def test_one_of_two_models_fails_and_the_other_is_kept():
    residency = Residency({})
    good, bad = Model("good"), Model("bad", load_fault=OSError("no"))
    lease = residency.lease([good, bad], "cpu")
    assert lease is not None
    with pytest.raises(OSError, match="no"):
        residency.load(lease)
    residency.release(lease)
    used(residency, good)
    assert good.loads == ["cpu"]


def test_idle_weights_are_dropped_when_asked():
    residency = Residency({})
    a, b = Model("a"), Model("b")
    used(residency, a)
    lease = held(residency, b)
    residency.unload_idle()
    assert residency.nbytes("cpu") == 100
    residency.release(lease)
    used(residency, b)
    assert (len(a.loads), len(b.loads)) == (1, 1)
    used(residency, a)
    assert len(a.loads) == 2


def test_lanes_that_want_the_same_weights_load_them_once():
    residency = Residency({})
    start = threading.Barrier(8)
    loads: list[str] = []

    def lane(_: int) -> Weights | None:
        model = Model("a", loads=loads)
        start.wait(patience.SECONDS)
        used(residency, model)
        return model.bound

    with ThreadPoolExecutor(8) as pool:
        bound = list(pool.map(lane, range(8)))
    assert loads == ["cpu"]
    assert all(weights is bound[0] for weights in bound)


def test_lanes_with_more_than_fits_never_lose_what_they_use():
    residency = Residency({"cpu": 250})

    def lane(number: int) -> bool:
        whole = True
        for turn in range(50):
            models = [Model(str((number + turn + i) % 5)) for i in range(2)]
            lease = residency.lease(models, "cpu")
            assert lease is not None
            residency.load(lease)
            whole &= all(place.loaded is not None for place in lease.bases)
            residency.release(lease)
        return whole

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lane, range(4)))
    used(residency, Model("last"))
    assert residency.nbytes("cpu") <= 250
