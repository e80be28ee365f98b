"""A WebSocket client of its own process, which a test can stop: says what it hears."""

import sys

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def main(address: str) -> None:
    """Say the first message, then listen until the connection ends, and say so."""
    with connect(address, proxy=None) as socket:
        say(str(socket.recv()))
        try:
            while True:
                socket.recv()
        except ConnectionClosed:
            say("closed")


def say(text: str) -> None:
    """To whoever started this process, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
