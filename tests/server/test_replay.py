"""A client whose connection broke hears again what it missed; nobody else does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from engine.server.replay import AWAY_SECONDS, MOST_AWAY, MOST_FRAMES, ReplayBuffer
from tests.conftest import ServerFactory
from tests.server.conftest import Caller, Ear, chain, slow

LIFECYCLE = ["execution_start", "execution_cached", "executing", "executing", "executing"]


async def messages(ear: Ear, last: str = "replayed") -> list[dict[str, Any]]:
    """Whole messages, with their numbers, up to one of this type."""
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1]["type"] != last:
        frame = await ear.socket.recv()
        if isinstance(frame, str):
            heard.append(json.loads(frame))
    return heard


def numbers(heard: list[dict[str, Any]]) -> list[int]:
    return [message["seq"] for message in heard if "seq" in message]


async def test_what_no_later_message_outdates_is_numbered(call: Caller):
    async with call.ear("numbered") as ear:
        await call.submit(chain(), client_id="numbered")
        heard = await messages(ear, "execution_success")
    assert all({*message} - {"seq"} == {"type", "data"} for message in heard)
    found = numbers(heard)
    assert found == [*range(found[0], found[0] + len(found))]
    numbered = [message["type"] for message in heard if "seq" in message]
    assert numbered == [*LIFECYCLE, "executed", "execution_success"]
    unnumbered = {message["type"] for message in heard if "seq" not in message}
    assert unnumbered == {"status", "progress_state"}


async def test_a_client_that_was_away_hears_what_it_missed(call: Caller):
    async with call.ear("away") as ear:
        id = await call.submit(slow(1), client_id="away")
        heard = await messages(ear, "execution_cached")
    since = numbers(heard)[-1]
    async with call.ear("other") as other:
        while not (await call.get(f"/history/{id}"))[1]:  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(0.01)
        async with call.ear("away", since=since) as ear:
            missed = await messages(ear)
            assert missed[-1]["data"] == {"since": since, "complete": True}
            assert numbers(missed) == [*range(since + 1, since + len(missed))]
            told = [message["type"] for message in missed[:-1]]
            assert told == ["executing"] * 3 + ["executed", "execution_success", "executing"]
            assert {message["data"]["prompt_id"] for message in missed[:-1]} == {id}
            next_id = await call.submit(chain(), client_id="away")
            await ear.over(next_id)
        await other.nothing_more()
    assert id not in json.dumps(other.heard)
    async with call.ear("away", since=since) as ear:
        again = await messages(ear)
        assert numbers(again)[: len(missed) - 1] == numbers(missed)
    async with call.ear("away") as ear:
        await ear.nothing_more()
    assert {type for type, _ in ear.heard} == {"status", "feature_flags"}, "only who asks"


async def test_a_client_in_the_midst_of_a_job_hears_the_rest_too(call: Caller):
    async with call.ear("midst") as ear:
        id = await call.submit(slow(), client_id="midst")
        await ear.until("executing", node="2", prompt_id=id)
    async with call.ear("midst", since=0) as ear:
        missed = await messages(ear)
        assert missed[0]["type"] == "execution_start"
        assert missed[-1]["data"] == {"since": 0, "complete": False}
        state = await ear.until("progress_state", prompt_id=id)
        assert state["nodes"]["1"]["state"] == "finished"
        await call.post("/interrupt", {"prompt_id": id})
        await ear.until("execution_interrupted", prompt_id=id)


async def test_both_connections_of_a_client_hear_everything(call: Caller):
    async with call.ear("both") as one, call.ear("both") as two:
        id = await call.submit(chain(), client_id="both")
        first, second = (
            await messages(one, "execution_success"),
            await messages(two, "execution_success"),
        )
        assert first == second
    async with call.ear("both") as one:
        async with call.ear("both"):
            pass
        id = await call.submit(chain(), client_id="both")
        await one.over(id)


async def test_numbers_go_on_after_a_restart(server: ServerFactory, call: Caller):
    first = server("--nodes", "tests.pack")
    call.url = first.url
    async with call.ear("me") as ear:
        await call.submit(chain(), client_id="me")
        last = numbers(await messages(ear, "execution_success"))[-1]
    first.stop()
    call.url = server("--nodes", "tests.pack", home=first.home).url
    async with call.ear("me", since=last) as ear:
        assert (await messages(ear))[-1]["data"]["complete"] is False
        await call.submit(chain(), client_id="me")
        assert numbers(await messages(ear, "execution_success"))[0] > last


async def test_everyone_hears_how_long_the_queue_is(call: Caller):
    async with call.ear("bystander") as ear, call.ear("worker") as worker:
        id = await call.submit(slow(0.5), client_id="worker")
        while (await ear.until("status"))["status"]["exec_info"]["queue_remaining"] != 1:
            pass
        await worker.over(id)
        while (await ear.until("status"))["status"]["exec_info"]["queue_remaining"] != 0:
            pass
        await call.submit(chain())
        assert (await ear.until("status"))["status"], "also of jobs that belong to nobody"
    assert {type for type, _ in ear.heard} == {"status"}


@pytest.mark.parametrize("since", ["x", "-1", "1.5", "9" * 17, "²"])
async def test_a_number_that_is_none_is_refused(call: Caller, since: str):
    status, answer = await call.get(f"/ws?clientId=me&since={since}")
    assert (status, answer["error"]["type"]) == (400, "invalid_since")


def told(replays: ReplayBuffer, sid: str, count: int, size: int = 1) -> list[int]:
    """Tell a client so many messages; returns their numbers."""
    found: list[int] = []
    for _ in range(count):
        number = replays.next_number(sid)
        assert number is not None
        replays.append(sid, number, b"x" * size)
        found.append(number)
    return found


def test_only_the_newest_frames_of_a_client_are_kept():
    replays = ReplayBuffer()
    assert replays.next_number("nobody") is None
    replays.connect("me")
    sent = told(replays, "me", MOST_FRAMES + 5)
    assert replays.since("me", sent[-1]) == ([], True)
    assert replays.since("me", sent[4]) == ([b"x"] * MOST_FRAMES, True)
    frames, complete = replays.since("me", sent[3])
    assert (len(frames), complete) == (MOST_FRAMES, False)
    assert replays.since("me", sent[-1] + 1) == ([], False), "that number is somebody else's"


def test_the_oldest_frames_of_all_make_room():
    replays = ReplayBuffer(most_bytes=100)
    for sid in ("old", "new"):
        replays.connect(sid)
    old, new = told(replays, "old", 5, 10), told(replays, "new", 7, 10)
    assert replays.since("old", old[0]) == ([b"x" * 10] * 3, False)
    assert replays.since("new", new[0] - 1) == ([b"x" * 10] * 7, True)
    replays.connect("huge")
    (number,) = told(replays, "huge", 1, 1000)
    assert replays.since("huge", number - 1) == ([], False)
    assert replays.since("new", new[0] - 1) == ([], False)
    assert len(told(replays, "new", 10, 10)) == 10


def test_who_stays_away_for_long_is_forgotten():
    now = [0.0]
    replays = ReplayBuffer(clock=lambda: now[0])
    for sid in ("a", "b"):
        replays.connect(sid)
        told(replays, sid, 1)
        replays.disconnect(sid)
        now[0] += AWAY_SECONDS * 0.7
    replays.connect("c")
    replays.disconnect("c")
    assert replays.next_number("a") is None
    assert replays.next_number("b") is not None
    replays.connect("b")
    now[0] += AWAY_SECONDS * 2
    replays.disconnect("c")
    assert replays.next_number("b") is not None, "it came back"
    for number in range(MOST_AWAY + 1):
        replays.connect(str(number))
        replays.disconnect(str(number))
    assert replays.next_number("0") is None
    assert replays.next_number(str(MOST_AWAY)) is not None
