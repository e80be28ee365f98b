"""`soundstage serve`: listen, serve, and stop in good order."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import resource
import signal
import socket
import ssl
import webbrowser
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from engine.authoring.errors import SoundstageError
from engine.cli.config import Serve
from engine.cli.precision import VARIABLE
from engine.devices.malloc import tune_allocator
from engine.run.engine import Engine
from engine.run.remote_nodes import CustomNodePacks
from engine.run.worker_settings import WorkerTiming
from engine.server.app import init_app
from engine.store import model_paths
from engine.store.model_paths import ModelPaths

log = logging.getLogger(__name__)

BACKLOG = 512
DRAIN_SECONDS = 5.0
STDIN = 0
ADDRESS_FILE = "service.url"
READY = "Soundstage listens on"
FREED_BYTES, LARGE_BYTES = 8 * 2**20, 2**20
CUSTOM_NODES_LOADER = "engine.compat.packs:load"


async def serve(command: Serve) -> int:
    """Serve until SIGINT or SIGTERM; a second signal kills.

    Raises:
        SoundstageError: the port or the home is in use.
    """
    logging.basicConfig(level=command.level, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # broken requests are no news
    for line in command.idle:
        log.warning("%s", line)
    if command.cpu or command.devices is not None:  # the worker process inherits it
        os.environ["CUDA_VISIBLE_DEVICES"] = "" if command.cpu else command.devices or ""
    os.environ[VARIABLE] = command.precision
    models, tls = _model_paths(command), _tls(command)
    _allow_many_clients()
    tune_allocator(FREED_BYTES, LARGE_BYTES)
    stop = _stop_event(attached=command.attached)
    listening = _bind(command.listen, command.port)
    urls = [_url(bound, "http" if tls is None else "https") for bound in listening]
    engine = await Engine.open(
        command.home,
        folder_overrides=command.placed,
        models=models,
        packs=command.packs,
        custom_nodes=_custom_node_packs(command),
        max_queue=command.max_queue,
        cache_policy=command.keeping,
        preload=command.preload,
        timing=WorkerTiming(grace=command.grace),
    )
    try:
        app = init_app(
            engine,
            hosts=command.hosts if _is_private(listening) else None,
            cors=command.cors,
            upload_limit=command.upload_limit,
            preview_method=command.preview_method,
            compress=command.compress,
            front_end_root=command.front_end_root,
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_SECONDS)
        await runner.setup()
        for bound in listening:
            await web.SockSite(runner, bound, backlog=BACKLOG, ssl_context=tls).start()
        gc.freeze()  # else its next full round walks all modules: 30 ms in somebody's request
        _announce(command.home, urls)
        if command.browse:
            await asyncio.to_thread(webbrowser.open, urls[0])
        failed = await _first_failed(stop, engine.background)
        log.info("stopping; jobs that wait or run go on when the service starts again")
        (command.home / ADDRESS_FILE).unlink(missing_ok=True)
        await runner.cleanup()
        if failed is not None:
            log.critical("no job can run any more", exc_info=failed)
            raise SoundstageError(f"the service ends as no job can run any more: {failed}")
    finally:
        await engine.close()
    return 0


async def _first_failed(
    stop: asyncio.Event, background: Iterable[asyncio.Task[None]]
) -> BaseException | None:
    """Wait until the user stops the service, or a task fails that must not; its error."""
    stopping = asyncio.create_task(stop.wait())
    ended, _ = await asyncio.wait({stopping, *background}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    return next((task.exception() for task in ended if task is not stopping), None)


def _model_paths(command: Serve) -> ModelPaths:
    """What the home's own file and those of the command line say."""
    own = command.home / model_paths.FILE
    found = model_paths.read([*([own] if own.exists() else []), *command.model_paths])
    for path in found.missing():
        log.warning("there is no folder %s; nothing is found there until there is", path)
    for path in (*found.before.get("custom_nodes", ()), *found.after.get("custom_nodes", ())):
        log.warning("node packs run their own code: to load those, give --custom-nodes %s", path)
    return found


def _allow_many_clients() -> None:
    """Each client is an open file; of those many systems grant a thousand unless asked."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems say "no limit" and mean less
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _tls(command: Serve) -> ssl.SSLContext | None:
    if command.tls is None:
        return None
    certificate, key = command.tls
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise SoundstageError(
            f"{certificate} and {key} are no certificate and its key as PEM files: {error}"
        ) from error
    return context


def _custom_node_packs(command: Serve) -> CustomNodePacks | None:
    if not command.custom_nodes:
        return None
    return CustomNodePacks(CUSTOM_NODES_LOADER, [str(folder) for folder in command.custom_nodes])


def _stop_event(*, attached: bool) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)

    def read() -> None:
        if not os.read(STDIN, 4096):
            loop.remove_reader(STDIN)
            stop.set()

    if attached:
        loop.add_reader(STDIN, read)
    return stop


def _bind(addresses: tuple[str, ...], port: int) -> list[socket.socket]:
    """Sockets on every address, all on one port; nothing waits for them yet."""
    bound: list[socket.socket] = []
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if family is socket.AF_INET6 and bound and not socket.has_ipv6:
            continue
        try:
            made = socket.create_server((address, port), family=family, backlog=BACKLOG)
        except OSError as error:
            for other in bound:
                other.close()
            number = error.errno or 0  # negative: the name is not known
            reason = os.strerror(number) if number > 0 else error.strerror
            raise SoundstageError(
                f"cannot listen on {address} port {port}: {reason}; stop the program that "
                "does, or choose another --port (0 takes a free one) or --listen"
            ) from error
        port = made.getsockname()[1]
        bound.append(made)
    return bound


def _url(bound: socket.socket, scheme: str) -> str:
    address, port = bound.getsockname()[:2]
    host = f"[{address}]" if ":" in address else address
    return f"{scheme}://{host}:{port}"


def _is_private(listening: list[socket.socket]) -> bool:
    """Whether only this machine can reach the service."""
    return all(ipaddress.ip_address(bound.getsockname()[0]).is_loopback for bound in listening)


def _announce(home: Path, urls: list[str]) -> None:
    """Say where the service is: to the user, and to `soundstage run` of the same home."""
    (home / ADDRESS_FILE).write_text(urls[0])
    print(READY, " and ".join(urls), flush=True)
