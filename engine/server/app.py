"""The service: one table of routes, one function that makes the application of an engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from pathlib import Path

from aiohttp import web

from engine.graph import node_info
from engine.models.pulls import Pulls
from engine.run.engine import Engine
from engine.server import (
    assets,
    editor,
    editor_page,
    extensions,
    files,
    front_end,
    gallery,
    internal,
    jobs,
    masks,
    models,
    prompts,
    pulls,
    system,
    token_count,
    userdata,
    wire,
    workflows,
)
from engine.server.app_keys import (
    ASSET_INDEXER,
    CATALOG,
    COUNTER,
    ENGINE,
    FACTS,
    FRONT_END_VERSION,
    LOGS,
    LOOP_LAG,
    PREVIEW_METHOD,
    PULLS,
    SETTINGS,
    SOCKETS,
    UPLOAD_LIMIT,
    USERDATA,
)
from engine.server.catalog import Catalog
from engine.server.logs import Logs
from engine.server.loop_lag import LoopLag
from engine.server.machine import WorkerFacts
from engine.server.middleware import compressed, errors, guard, headers
from engine.server.prompt_tokens import PromptTokenCounter
from engine.server.sockets import HEARTBEAT_SECONDS, Sockets
from engine.store.asset_indexer import AssetIndexer
from engine.store.editor_settings import EditorSettings
from engine.store.folder_scanner import FolderScanner
from engine.store.userdata import UserData

DEFAULT_UPLOAD_LIMIT = 100 * 2**20


async def websocket(request: web.Request) -> web.StreamResponse:
    """GET /ws: listen to the queue and to one's own jobs."""
    return await request.app[SOCKETS].serve(request)


# What people name may hold braces, which aiohttp's own pattern of a part does not match.
ID, FILE, DESTINATION = "{id:[^/]+}", "{file:[^/]+}", "{dest:[^/]+}"

ROUTES = (
    web.get("/", editor_page.page),
    web.get("/icon.svg", editor_page.icon),
    web.get("/editor/{name}", editor_page.asset),
    web.get("/prompt", prompts.get_prompt),
    web.post("/prompt", prompts.post_prompt),
    web.get("/queue", prompts.get_queue),
    web.post("/queue", prompts.post_queue),
    web.get("/history", prompts.get_history),
    web.post("/history", prompts.post_history),
    web.get(f"/history/{ID}", prompts.get_history_entry),
    web.get("/jobs", jobs.get_jobs),
    web.post("/jobs/cancel", jobs.cancel_jobs),
    web.get(f"/jobs/{ID}", jobs.get_job),
    web.post(f"/jobs/{ID}/cancel", jobs.cancel_job),
    web.post(f"/jobs/{ID}/front", jobs.move_to_front),
    web.get("/gallery", gallery.get_gallery),
    web.delete("/gallery/{id}", gallery.delete_file),
    web.post("/interrupt", prompts.post_interrupt),
    web.post("/free", prompts.post_free),
    web.post("/workflow/convert", workflows.convert),
    web.post("/workflow/open", workflows.open_file),
    web.get("/object_info", system.object_info),
    web.get(f"/object_info/{ID}", system.object_info_node),
    web.get("/unsupported_nodes", system.unsupported_nodes),
    web.get("/view", files.view),
    web.post("/upload/image", files.upload_image),
    web.post("/upload/mask", masks.upload_mask),
    web.get("/models", models.get_folders),
    web.get("/models/{folder}", models.get_models),
    web.get("/embeddings", models.get_embeddings),
    web.get("/experiment/models", models.get_model_folders),
    web.get("/experiment/models/{folder}", models.get_model_files),
    web.get("/experiment/models/preview/{folder}/{path_index}/{filename:.+}", models.get_preview),
    web.get("/view_metadata/{folder}", models.get_metadata),
    web.get("/pulls", pulls.get_pulls),
    web.post("/pulls", pulls.post_pull),
    web.delete("/pulls/{id}", pulls.delete_pull),
    web.get("/users", userdata.get_users),
    web.post("/users", userdata.post_users),
    web.get("/settings", userdata.get_settings),
    web.post("/settings", userdata.post_settings),
    web.get(f"/settings/{ID}", userdata.get_setting),
    web.post(f"/settings/{ID}", userdata.post_setting),
    web.get("/userdata", userdata.get_listing),
    web.get("/v2/userdata", userdata.get_entries),
    web.get(f"/userdata/{FILE}", userdata.get_file),
    web.post(f"/userdata/{FILE}", userdata.post_file),
    web.delete(f"/userdata/{FILE}", userdata.delete_file),
    web.post(f"/userdata/{FILE}/move/{DESTINATION}", userdata.move_file),
    web.get("/extensions", extensions.get_extensions),
    web.get("/extensions/{pack}/{path:.+}", extensions.get_file),
    web.get("/i18n", editor.get_translations),
    web.get("/workflow_templates", editor.get_templates),
    web.get("/workflow_templates/{pack}/{name}.{kind:json|jpg}", editor.get_template),
    web.get("/global_subgraphs", editor.get_subgraphs),
    web.get(f"/global_subgraphs/{ID}", editor.get_subgraph),
    web.get("/node_replacements", editor.get_replacements),
    web.get("/internal/logs", internal.get_text),
    web.get("/internal/logs/raw", internal.get_lines),
    web.patch("/internal/logs/subscribe", internal.subscribe),
    web.get("/internal/folder_paths", internal.get_folder_paths),
    web.get("/internal/files/{kind}", internal.get_files),
    web.post("/tokens", token_count.post_tokens),
    web.get("/system_stats", system.system_stats),
    web.get("/features", system.features),
    web.get("/ws", websocket),
)

# Not at /assets: there a browser app has its files.
ASSET_ROUTES = (
    web.get("/api/assets", assets.get_assets),
    web.post("/api/assets", assets.post_asset),
    web.post("/api/assets/from-hash", assets.post_from_hash),
    web.head("/api/assets/hash/{hash}", assets.head_hash),
    web.get("/api/assets/tags/refine", assets.refine_tags),
    web.post("/api/assets/seed", assets.post_seed),
    web.get("/api/assets/seed/status", assets.get_seed),
    web.post("/api/assets/seed/cancel", assets.cancel_seed),
    web.post("/api/assets/prune", assets.post_prune),
    web.get("/api/assets/{id}", assets.get_asset),
    web.put("/api/assets/{id}", assets.put_asset),
    web.delete("/api/assets/{id}", assets.delete_asset),
    web.get("/api/assets/{id}/content", assets.get_content),
    web.post("/api/assets/{id}/tags", assets.post_tags),
    web.delete("/api/assets/{id}/tags", assets.delete_tags),
    web.get("/api/tags", assets.get_tags),
)


def init_app(
    engine: Engine,
    *,
    hosts: Collection[str] | None = None,
    cors: str | None = None,
    upload_limit: int = DEFAULT_UPLOAD_LIMIT,
    preview_method: str = "none",
    compress: bool = False,
    front_end_root: Path | None = None,
    heartbeat: float = HEARTBEAT_SECONDS,
) -> web.Application:
    """The application that serves an engine; every route also stands under /api.

    Args:
        engine: open; the caller closes it after the application.
        hosts: names by which the service may be called besides its addresses; None: any.
        cors: the origin whose pages may call the service too, "*" for all.
        upload_limit: most bytes of one request.
        preview_method: for prompts that ask for none themselves; "none" sends no previews.
        compress: send JSON and text compressed to those who accept that.
        front_end_root: folder of a browser app that stands at / instead of our own page.
        heartbeat: see `Sockets`.
    """
    passed = [errors, guard(hosts=hosts, cors=cors), *([compressed] if compress else [])]
    app = web.Application(middlewares=passed, client_max_size=upload_limit)
    engine.describe = lambda input: node_info.input_config(input, engine.folders.files)
    app[ENGINE] = engine
    app[CATALOG] = Catalog(engine.registry, engine.folders)
    app[PULLS] = Pulls(engine.folders.root("models"))
    app[COUNTER] = PromptTokenCounter(engine.registry, engine.folders)
    app[FACTS] = WorkerFacts(engine)
    app[SOCKETS] = Sockets(engine, wire.features(upload_limit), heartbeat)
    app[USERDATA] = UserData(engine.folders.root("user") / "default")
    app[SETTINGS] = EditorSettings(app[USERDATA])
    app[LOGS] = Logs(engine.folders.home, app[SOCKETS])
    app[ASSET_INDEXER] = AssetIndexer(engine.assets, FolderScanner(engine.folders))
    app[LOOP_LAG] = LoopLag()
    app[UPLOAD_LIMIT] = upload_limit
    app[PREVIEW_METHOD] = preview_method
    app[FRONT_END_VERSION] = "" if front_end_root is None else front_end.version(front_end_root)
    if front_end_root is not None:
        app.add_routes(front_end.routes(front_end_root))  # first: of two pages at / it wins
        app.on_startup.append(front_end.prepare)
    app.add_routes(ROUTES)
    app.add_routes(ASSET_ROUTES)
    app.add_routes(web.RouteDef(r.method, "/api" + r.path, r.handler, r.kwargs) for r in ROUTES)
    app.on_response_prepare.append(headers(cors))
    app.cleanup_ctx.append(_keep_log)
    app.cleanup_ctx.append(_watch_loop)
    app.on_shutdown.append(_close_sockets)
    app.on_shutdown.append(_stop_pulls)
    app.on_cleanup.append(_stop_asset_indexer)
    return app


async def _keep_log(app: web.Application) -> AsyncGenerator[None]:
    app[LOGS].attach()
    yield
    app[LOGS].detach()


async def _watch_loop(app: web.Application) -> AsyncGenerator[None]:
    app[LOOP_LAG].start()
    yield
    app[LOOP_LAG].stop()


async def _close_sockets(app: web.Application) -> None:
    await app[SOCKETS].close()


async def _stop_pulls(app: web.Application) -> None:
    app[PULLS].close()


async def _stop_asset_indexer(app: web.Application) -> None:
    await app[ASSET_INDEXER].cancel()
