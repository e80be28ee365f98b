"""/tokens: the length of a prompt as its text encoder will see it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from nodes.models.text.prompt_weights import chunks
from nodes.models.text.tokenizers import read_clip_tokenizer
from tests.conftest import CHECKOUT, Service
from tests.server.conftest import Caller

CLIP = CHECKOUT / "nodes" / "models" / "text" / "clip_tokenizer"
DEMO = CHECKOUT / "nodes" / "models" / "demo" / "tokenizer"


def counted(text: str, folder: Path) -> dict[str, int]:
    """The same as the text encoder reckons it, with marks and padding."""
    tokenizer = read_clip_tokenizer(folder)
    filled = chunks(text, tokenizer.ids, start=-1, end=-2, pad=-3, length=tokenizer.length)
    count = sum(token not in (-1, -2, -3) for chunk in filled for token, _ in chunk)
    return {"count": count, "chunk": tokenizer.length - 2, "chunks": len(filled)}


@pytest.mark.parametrize("text", ["", "a cat", "a (red:1.3) ((fox)) \\(animal\\)", "cat, " * 60])
@pytest.mark.parametrize(("model", "folder"), [(None, CLIP), ("demo", DEMO)])
async def test_a_prompt_has_as_many_tokens_as_its_encoder_gets(
    call: Caller, text: str, model: str | None, folder: Path
):
    status, answer = await call.post("/api/tokens", {"text": text, "checkpoint": model})
    assert (status, answer) == (200, counted(text, folder))


async def test_plain_words_are_counted_as_clip_does(call: Caller):
    _, answer = await call.post("/tokens", {"text": "a photograph of an astronaut"})
    assert answer == {"count": 5, "chunk": 75, "chunks": 1}


async def test_a_model_that_is_not_there_counts_as_clip(call: Caller):
    status, answer = await call.post("/tokens", {"text": "a fox", "checkpoint": "none"})
    assert (status, answer) == (200, {"count": 2, "chunk": 75, "chunks": 1})


async def test_an_embedding_counts_as_its_vectors(call: Caller, service: Service):
    header = json.dumps({"emb": {"dtype": "F32", "shape": [3, 1], "data_offsets": [0, 12]}})
    data = struct.pack("<Q", len(header)) + header.encode() + bytes(12)
    (service.home / "models" / "embeddings" / "mine.safetensors").write_bytes(data)
    for text, count in (("embedding:mine", 3), ("a embedding:mine, b", 6), ("embedding:no", 0)):
        assert (await call.post("/tokens", {"text": text}))[1]["count"] == count


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 400, "text is missing"),
        ({"text": 5}, 400, "must be a string"),
        ({"text": "a" * 50_001}, 400, "50000 are counted"),
        ({"text": "(" * 3000 + ")" * 3000}, 400, "too deep"),
        ({"text": "a", "checkpoint": "../../x"}, 403, "leads out"),
    ],
)
async def test_what_cannot_be_counted_is_refused(
    call: Caller, body: dict[str, Any], status: int, word: str
):
    answered, told = await call.post("/tokens", body)
    assert answered == status, told
    assert word in told["error"]["message"]
