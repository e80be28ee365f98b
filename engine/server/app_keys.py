"""What the handlers find in their application."""

from __future__ import annotations

from aiohttp import web

from engine.models.pulls import Pulls
from engine.run.engine import Engine
from engine.server.catalog import Catalog
from engine.server.logs import Logs
from engine.server.loop_lag import LoopLag
from engine.server.machine import WorkerFacts
from engine.server.prompt_tokens import PromptTokenCounter
from engine.server.sockets import Sockets
from engine.store.asset_indexer import AssetIndexer
from engine.store.editor_settings import EditorSettings
from engine.store.userdata import UserData

ENGINE = web.AppKey("engine", Engine)
CATALOG = web.AppKey("catalog", Catalog)
COUNTER = web.AppKey("counter", PromptTokenCounter)
FACTS = web.AppKey("facts", WorkerFacts)
SOCKETS = web.AppKey("sockets", Sockets)
FRONT_END_VERSION = web.AppKey("front_end_version", str)
"""Of somebody else's browser app at /; "" where there is none, or nobody knows."""
PULLS = web.AppKey("pulls", Pulls)
PREVIEW_METHOD = web.AppKey("preview_method", str)
UPLOAD_LIMIT = web.AppKey("upload_limit", int)
USERDATA = web.AppKey("userdata", UserData)
SETTINGS = web.AppKey("settings", EditorSettings)
ASSET_INDEXER = web.AppKey("asset_indexer", AssetIndexer)
LOGS = web.AppKey("logs", Logs)
LOOP_LAG = web.AppKey("loop_lag", LoopLag)
