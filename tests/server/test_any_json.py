"""Whatever JSON comes: an answer in JSON, no fault of the service, and the next prompt runs."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import patience
from tests.conftest import Service
from tests.server.conftest import chain

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["1", "2", "3", "Number", "Add", "Show", "class_type", "inputs", "value"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
IDS = st.sampled_from(["1", "2", "3", "9", ""])
NODES = st.fixed_dictionaries(
    {},
    optional={
        "class_type": st.sampled_from(["Number", "Add", "Show", "Lines", "Join", "Nope"]) | VALUES,
        "inputs": st.dictionaries(
            st.sampled_from(["value", "a", "b", "log", "text", "texts", "separator", "x"]),
            st.tuples(IDS, st.integers(-2, 3)) | SCALARS | VALUES,
        )
        | VALUES,
        "_meta": VALUES,
    },
)
MEMBERS = ("client_id", "extra_data", "number", "front", "partial_execution_targets")
BODIES = st.fixed_dictionaries(
    {"prompt": st.dictionaries(IDS, NODES | VALUES, max_size=4) | VALUES},
    optional=dict.fromkeys(MEMBERS, VALUES),
)


def answer(url: str, data: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, data, timeout=patience.SECONDS) as got:
            return got.status, got.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@settings(max_examples=300, deadline=None)
@given(body=BODIES | VALUES)
def test_any_prompt_is_taken_or_refused(service: Service, body: Any):
    status, data = answer(service.url + "/prompt", json.dumps(body).encode())
    assert status in (200, 400), data
    told = json.loads(data, parse_constant=lambda word: 1 / 0)
    assert "prompt_id" in told or told["error"]["message"]
    assert b"Traceback" not in data


@settings(max_examples=100, deadline=None)
@given(
    path=st.sampled_from(["/queue", "/history", "/interrupt", "/free"]),
    body=st.dictionaries(
        st.sampled_from(["clear", "delete", "prompt_id", "unload_models", "free_memory"]), VALUES
    )
    | VALUES,
)
def test_any_other_body_is_taken_or_refused(service: Service, path: str, body: Any):
    status, data = answer(service.url + path, json.dumps(body).encode())
    assert status in (200, 400), data


@settings(max_examples=150, deadline=None)
@given(
    query=st.dictionaries(
        st.sampled_from(["filename", "subfolder", "type", "preview", "channel"]),
        st.text(max_size=30) | st.sampled_from(["..", "../x", "output", "input", "webp", "/", "~"]),
    )
)
def test_any_query_of_view_is_answered(service: Service, query: dict[str, str]):
    encoded = urllib.parse.urlencode(query, errors="surrogatepass")
    status, data = answer(f"{service.url}/view?{encoded}")
    assert status in (400, 403, 404), data


def test_after_all_that_the_next_prompt_runs(service: Service):
    status, data = answer(service.url + "/prompt", json.dumps({"prompt": chain()}).encode())
    assert status == 200
    id = json.loads(data)["prompt_id"]
    while not json.loads(answer(f"{service.url}/history/{id}")[1]):
        time.sleep(0.01)
