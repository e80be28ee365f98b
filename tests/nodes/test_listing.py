"""The list of nodes in the documents is that of the nodes."""

from __future__ import annotations

from tests.conftest import CHECKOUT
from tests.nodes.listing import listing


def test_the_documents_list_every_node_as_it_is():
    written = (CHECKOUT / "docs" / "nodes.md").read_text(encoding="utf-8")
    assert written == listing(), "run python -m tests.nodes.listing > docs/nodes.md"
