"""Whatever JSON comes for nodes of packs: an answer in JSON, and the next prompt runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compat.conftest import PACKS
from tests.compat.test_values import shown_by
from tests.conftest import Service, start_service
from tests.run.conftest import n
from tests.server.test_any_json import IDS, SCALARS, VALUES, answer

NAMES = (
    *("Number", "Add", "Show", "Even", "Anything", "Pick", "Color", "Together", "Switch", "Block"),
    *("Link", "Take", "Sum", "NumberOrFloat"),
)
INPUTS = ("value", "a", "b", "log", "other", "mode", "color", "items", "first", "if_true")
NODES = st.fixed_dictionaries(
    {
        "class_type": st.sampled_from([f"V1{name}" for name in NAMES]),
        "inputs": st.dictionaries(
            st.sampled_from(INPUTS), st.tuples(IDS, st.integers(-1, 2)) | SCALARS | VALUES
        ),
    }
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service with the V1 packs."""
    started = start_service(tmp_path_factory.mktemp("home"), "--custom-nodes", str(PACKS))
    yield started
    started.stop()


@settings(max_examples=100, deadline=None)
@given(prompt=st.dictionaries(IDS, NODES, min_size=1, max_size=4))
def test_any_prompt_of_their_nodes_is_answered(service: Service, prompt: dict[str, Any]):
    status, data = answer(service.url + "/prompt", json.dumps({"prompt": prompt}).encode())
    assert status in (200, 400), data
    assert b"Traceback" not in data
    told = json.loads(data, parse_constant=lambda word: 1 / 0)
    assert "prompt_id" in told or told["error"]["message"]


def test_after_all_that_the_next_prompt_is_taken(service: Service):
    sound = json.dumps({"prompt": shown_by(n("V1Number", value=1))}).encode()
    assert answer(service.url + "/prompt", sound)[0] == 200
