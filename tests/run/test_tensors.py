"""Pictures between nodes are kept on disk: a crash costs only the node it hit."""

from __future__ import annotations

import os
import signal

from PIL import Image

from engine.run.events import NodeProgress
from tests.run.conftest import Opener, n
from tests.run.test_crashes import worker_pid


async def test_the_picture_of_a_slow_node_survives_a_killed_worker(process: Opener):
    bench = await process()
    prompt = {
        "1": n("EmptyImage", width=40, height=20, batch_size=2, color=0xFF8040),
        "2": n("Sleep", value=["1", 0], steps=2, seconds=0.1, log=""),
        "3": n("Sleep", value=["2", 0], steps=40, seconds=2.0, log=""),
        "4": n("SaveImage", images=["3", 0], filename_prefix="survived"),
    }
    id = await bench.submit(prompt)
    await bench.until(id, NodeProgress, "3")
    os.kill(worker_pid(bench), signal.SIGKILL)
    entry = await bench.ended(id)
    assert entry.outcome.status == "success"
    assert "2" in entry.outcome.cached, "its result was read from the disk"
    saved = entry.outcome.shown["4"]["images"]
    assert [file["filename"] for file in saved] == ["survived_00001_.png", "survived_00002_.png"]
    for file in saved:
        with Image.open(bench.engine.folders.home / "output" / file["filename"]) as picture:
            assert picture.size == (40, 20)
            assert picture.convert("RGB").getcolors() == [(800, (0xFF, 0x80, 0x40))]
