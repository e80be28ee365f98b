"""Which links and literals of packs' nodes are let through: as the protocol says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compat.test_values import refused, shown, shown_by
from tests.run.conftest import Opener, n

WHOLE = {"whole": n("PrimitiveInt", value=1)}
WORDS = {"words": n("PrimitiveString", value="x")}


@pytest.mark.parametrize("class_type", ["V1Real", "V1Nap"])
async def test_a_whole_number_does_not_enter_a_packs_input_of_reals(local: Opener, class_type: str):
    bench = await local()
    inputs: dict[str, Any] = {"value": ["whole", 0]}
    if class_type == "V1Nap":
        inputs = {"value": 1, "seconds": ["whole", 0], "log": ""}
    error = await refused(bench, {**shown_by(n(class_type, **inputs)), **WHOLE})
    (told,) = error.node_errors["1"].errors
    assert told.type == "return_type_mismatch"
    assert "received_type(INT) mismatch input_type(FLOAT)" in told.details


async def test_a_pack_that_judges_types_itself_may_take_it(local: Opener):
    bench = await local()
    prompt = {**shown_by(n("V1RealOfAnyType", value=["whole", 0])), **WHOLE}
    assert await shown(bench, prompt) == ["int 1"]
    error = await refused(bench, {**shown_by(n("V1RealOfAnyType", value=["words", 0])), **WORDS})
    assert "no {'value': 'STRING'}" in error.node_errors["1"].errors[0].details


async def test_what_a_pack_judges_itself_has_no_other_limits(local: Opener):
    bench = await local()
    assert await shown(bench, shown_by(n("V1Real", value=5))) == ["float 5.0"]


async def test_our_own_nodes_take_whole_numbers_for_reals(local: Opener):
    bench = await local()
    prompt = {
        **WHOLE,
        "out": n("PreviewAny", source=["1", 0]),
        "1": n("PrimitiveFloat", value=["whole", 0]),
    }
    assert await shown(bench, prompt) == ["1.0"]


@pytest.mark.parametrize(("count", "width"), [(0, 8), (1, 0)])
@pytest.mark.parametrize("class_type", ["SaveImage", "PreviewImage", "SaveAnimatedWEBP"])
async def test_pictures_of_nothing_are_no_success(
    local: Opener, class_type: str, count: int, width: int
):
    bench = await local()
    more: dict[str, Any] = {} if class_type == "PreviewImage" else {"filename_prefix": "nothing"}
    if class_type == "SaveAnimatedWEBP":
        more |= {"fps": 8.0, "lossless": True, "quality": 80, "method": "default"}
    prompt = {
        "1": n("V1Nothing", count=count, width=width),
        "out": n(class_type, images=["1", 0], **more),
    }
    entry = await bench.run(prompt)
    assert (entry.outcome.status, entry.outcome.shown) == ("error", {})
    assert entry.outcome.failure is not None
    assert "no pixels in a batch of" in entry.outcome.failure.message
