"""Talking to a running service from Python, with an event loop or without.

>>> with Blocking("http://127.0.0.1:8188") as soundstage:          # doctest: +SKIP
...     for update in soundstage.run(prompt):
...         print(update)
"""

from engine.client.blocking import Blocking
from engine.client.client import Client
from engine.client.errors import ClientError, JobGone, Refused, Unreachable
from engine.client.updates import Queued, Result, Update

__all__ = [
    "Blocking",
    "Client",
    "ClientError",
    "JobGone",
    "Queued",
    "Refused",
    "Result",
    "Unreachable",
    "Update",
]
