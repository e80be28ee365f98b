"""Whatever is asked of the lists, settings and cancellations: no fault of the service."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Service
from tests.server.test_any_json import VALUES, answer

WORDS = st.text(max_size=12) | st.sampled_from(
    [
        "1",
        "0",
        "-1",
        "asc",
        "desc",
        "created_at",
        "execution_duration",
        "pending",
        "failed,",
        "true",
    ]
)
NAMES = ("status", "workflow_id", "sort_by", "sort_order", "limit", "offset")


@settings(max_examples=200, deadline=None)
@given(query=st.dictionaries(st.sampled_from(NAMES), WORDS))
def test_any_query_of_jobs_is_answered(service: Service, query: dict[str, str]):
    encoded = urllib.parse.urlencode(query, errors="replace")
    status, data = answer(f"{service.url}/api/jobs?{encoded}")
    assert status in (200, 400), data
    told = json.loads(data)
    assert "jobs" in told or told["error"]


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(["/api/jobs/cancel", "/settings", "/settings/one", "/users"]),
    body=st.dictionaries(st.sampled_from(["job_ids", "username", "a"]), VALUES) | VALUES,
)
def test_any_body_is_taken_or_refused(service: Service, path: str, body: Any):
    status, data = answer(service.url + path, json.dumps(body).encode())
    assert status in (200, 400), data
    assert status == 200 or json.loads(data)["error"]
    assert answer(service.url + "/settings")[0] == 200


@settings(max_examples=100, deadline=None)
@given(word=st.text(max_size=30))
def test_any_id_is_answered(service: Service, word: str):
    id = urllib.parse.quote(word.encode(errors="replace"), safe="")
    for path in (f"/api/jobs/{id}", f"/settings/{id}", f"/models/{id}", f"/global_subgraphs/{id}"):
        status, data = answer(service.url + path)
        assert status in (200, 404), (path, data)
        json.loads(data)
