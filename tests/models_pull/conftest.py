from collections.abc import Callable, Iterator

import pytest

from tests.models_pull.website import Serving, Site


@pytest.fixture
def serve() -> Iterator[Callable[[Site], Serving]]:
    """Serves sites until the test ends."""
    running: list[Serving] = []

    def start(site: Site) -> Serving:
        running.append(Serving(site))
        return running[-1]

    yield start
    for serving in running:
        serving.close()
