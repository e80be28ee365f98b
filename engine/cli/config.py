"""The only reader of flags and environment: what the user asked for, as values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from engine.authoring.errors import SoundstageError
from engine.cli import values
from engine.cli.caching import ALL_THAT_FITS, CachePolicy, add_caching, keeping
from engine.cli.custom_nodes import add_custom_nodes, custom_nodes
from engine.cli.flags import add_foreign
from engine.cli.model_commands import (
    InspectModel,
    ListModels,
    PullModel,
    add_models,
    models_command,
)
from engine.cli.precision import AUTO, add_precision

DEFAULT_PORT = 8188
EVERYWHERE = "0.0.0.0,::"
MEGABYTE = 2**20
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
PREVIEW_METHODS = ("none", "auto", "latent2rgb", "taesd")
PLACES = ("output", "input", "temp", "user")


class UsageError(SoundstageError):
    """What the user gave cannot be used as it is; exit code 2."""


@dataclass(frozen=True)
class Serve:
    """`soundstage serve`: the service, until it is stopped.

    Attributes:
        listen: addresses; an empty port 0 chooses a free one.
        placed: folders that are not inside the home.
        packs: modules with further nodes.
        custom_nodes: folders of node packs that were written for ComfyUI.
        hosts: names by which the service may be called besides its addresses.
        cors: origin whose pages may call it, "*" for all.
        max_queue: most jobs that may wait.
        cpu: do not use accelerators.
        attached: stop when standard input closes, so as not to outlive whoever started it.
        preview_method: for prompts that ask for none; "none" sends no previews.
        model_paths: files that name folders of models, beside the one in the home.
        devices: the accelerators to use, as CUDA numbers them; None: all.
        tls: certificate and key, as PEM files, for HTTPS.
        compress: send text compressed.
        browse: open the page in a browser.
        idle: lines on flags that change nothing.
        front_end_root: folder of a browser app that stands at / instead of our own page.
        preload: import at once what the first picture needs.
        grace: seconds that a node may go on after its job was interrupted.
        precision: number format of models: "auto", "fp32", "bf16" or "fp16".
    """

    home: Path
    listen: tuple[str, ...] = ("127.0.0.1",)
    port: int = DEFAULT_PORT
    placed: Mapping[str, Path] = field(default_factory=dict[str, Path])
    packs: tuple[str, ...] = ()
    custom_nodes: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()
    cors: str | None = None
    upload_limit: int = 100 * MEGABYTE
    max_queue: int = 10_000
    keeping: CachePolicy = ALL_THAT_FITS
    cpu: bool = False
    attached: bool = False
    preview_method: str = "none"
    model_paths: tuple[Path, ...] = ()
    devices: str | None = None
    tls: tuple[Path, Path] | None = None
    compress: bool = False
    browse: bool = False
    idle: tuple[str, ...] = ()
    front_end_root: Path | None = None
    level: str = "INFO"
    preload: bool = True
    grace: float = 5.0
    precision: str = AUTO


@dataclass(frozen=True)
class Run:
    """`soundstage run`: one workflow from start to end.

    Attributes:
        changes: "3.seed=7": inputs to set before.
        out: folder for what it makes.
        server: address of a running service; None uses the home's own, or starts it.
    """

    home: Path
    workflow: Path
    changes: tuple[str, ...]
    out: Path
    server: str | None


@dataclass(frozen=True)
class Convert:
    """`soundstage convert`: the graph in a file, as a prompt or for the editor.

    Attributes:
        editor: as the editor saves it; else in API format.
        out: the file to write; None: standard output.
        server: see `Run`.
    """

    home: Path
    file: Path
    editor: bool
    out: Path | None
    server: str | None


@dataclass(frozen=True)
class Demo:
    """`soundstage demo`: the first picture and the first voice."""

    home: Path


@dataclass(frozen=True)
class Nodes:
    """`soundstage nodes [NAME]`: all nodes, or one in detail."""

    name: str | None
    packs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Doctor:
    """`soundstage doctor`: what works here, and what to do about the rest."""

    home: Path
    port: int


Command = Serve | Run | Convert | Demo | ListModels | PullModel | InspectModel | Nodes | Doctor


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Command:
    """What the command line asks for; a wrong one prints its usage and exits with 2."""
    parser = _parser(environment)
    given = parser.parse_args(arguments)
    match given.command:
        case "serve" if (given.tls_keyfile is None) != (given.tls_certfile is None):
            parser.error("--tls-certfile and --tls-keyfile go together; give both")
        case "serve":
            return _serve(given)
        case "run":
            return Run(given.home, given.workflow, tuple(given.set), given.out, given.server)
        case "convert":
            return Convert(given.home, given.file, given.editor, given.out, given.server)
        case "demo":
            return Demo(given.home)
        case "models":
            return models_command(given)
        case "nodes":
            return Nodes(given.name, tuple(given.nodes))
        case _:
            return Doctor(given.home, given.port)


def _serve(given: argparse.Namespace) -> Serve:
    placed = {place: getattr(given, f"{place}_directory") for place in PLACES}
    return Serve(
        home=given.home,
        listen=given.listen,
        port=given.port,
        placed={place: path for place, path in placed.items() if path is not None},
        packs=tuple(given.nodes),
        custom_nodes=custom_nodes(given),
        hosts=tuple(given.allow_host),
        cors=given.enable_cors_header,
        upload_limit=int(given.max_upload_size * MEGABYTE),
        max_queue=given.max_queue,
        keeping=keeping(given),
        cpu=given.cpu,
        attached=given.attached,
        preview_method=given.preview_method,
        model_paths=tuple(path for paths in given.extra_model_paths_config for path in paths),
        devices=given.cuda_device,
        tls=None if given.tls_keyfile is None else (given.tls_certfile, given.tls_keyfile),
        compress=given.enable_compress_response_body,
        browse=given.auto_launch,
        idle=given.idle,
        front_end_root=given.front_end_root,
        level=given.verbose,
        preload=not given.no_preload,
        grace=given.grace,
        precision=given.precision,
    )


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="soundstage",
        description="Make pictures and voices on this machine, from workflows of nodes.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"soundstage {version('soundstage')}"
    )
    home = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    home.add_argument(
        "--home",
        "--base-directory",
        type=values.folder,
        metavar="DIR",
        default=values.folder(environment.get("SOUNDSTAGE_HOME") or "~/soundstage"),
        help="folder of models, inputs, outputs and the queue "
        "(default: $SOUNDSTAGE_HOME, else ~/soundstage)",
    )
    nodes = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    nodes.add_argument(
        "--nodes", action="append", default=[], metavar="MODULE", help="import more nodes; repeat"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", parents=[home, nodes], help="run the service")
    _add_serve(serve)
    add_precision(serve, environment)
    _add_run(commands.add_parser("run", parents=[home], help="run one workflow"))
    _add_convert(commands.add_parser("convert", parents=[home], help="show the graph in a file"))
    commands.add_parser("demo", parents=[home], help="make a first picture and a first voice")
    actions = add_models(commands.add_parser("models", help="list and fetch models"), home)
    listed = commands.add_parser("nodes", parents=[nodes], help="list the nodes, or explain one")
    listed.add_argument("name", nargs="?", metavar="NAME", help="of one node")
    doctor = commands.add_parser("doctor", parents=[home], help="check this machine")
    doctor.add_argument("--port", type=values.port, default=DEFAULT_PORT, help="of the service")
    for command in (*commands.choices.values(), *actions):
        command.allow_abbrev = False
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    add_caching(parser)
    parser.add_argument(
        "--listen",
        nargs="?",
        const=EVERYWHERE,
        default="127.0.0.1",
        type=values.addresses,
        metavar="IP",
        help="addresses to listen on, with commas; without a value: all (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--port", type=values.port, default=DEFAULT_PORT, help="0 takes a free one (default: 8188)"
    )
    for place in PLACES:
        parser.add_argument(
            f"--{place}-directory",
            type=values.folder,
            metavar="DIR",
            help=f"instead of HOME/{place}",
        )
    parser.add_argument(
        "--max-upload-size", type=values.size, default=100.0, metavar="MB", help="(default: 100)"
    )
    parser.add_argument(
        "--max-queue",
        type=values.count,
        default=10_000,
        metavar="JOBS",
        help="refuse more when so many wait (default: 10000)",
    )
    parser.add_argument(
        "--enable-cors-header",
        nargs="?",
        const="*",
        metavar="ORIGIN",
        help="let pages of this origin use the service; without a value: of any",
    )
    add_custom_nodes(parser)
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        type=str.lower,
        help="a name besides localhost by which the service may be called; repeat",
    )
    parser.add_argument(
        "--extra-model-paths-config",
        action="append",
        nargs="+",
        default=[],
        type=values.folder,
        metavar="FILE",
        help="YAML that names further folders of models, beside HOME/extra_model_paths.yaml",
    )
    parser.add_argument("--tls-certfile", type=values.folder, metavar="PEM", help="serve HTTPS")
    parser.add_argument(
        "--tls-keyfile", type=values.folder, metavar="PEM", help="of the certificate"
    )
    parser.add_argument(
        "--enable-compress-response-body", action="store_true", help="send text compressed"
    )
    parser.add_argument("--auto-launch", action="store_true", help="open a browser")
    parser.add_argument(
        "--cuda-device", type=values.devices, metavar="N", help="use these accelerators: 0 or 0,1"
    )
    parser.add_argument("--cpu", action="store_true", help="leave accelerators alone")
    parser.add_argument("--attached", action="store_true", help="stop when standard input closes")
    parser.add_argument(
        "--preview-method",
        choices=PREVIEW_METHODS,
        default="none",
        help="show pictures as they form; 'none' leaves that to each prompt (default: none)",
    )
    parser.add_argument(
        "--front-end-root",
        type=values.front_end,
        metavar="DIR",
        help="show the browser app in this folder (its index.html) instead of our own page",
    )
    parser.add_argument(
        "--no-preload", action="store_true", help="import slow libraries only when a job needs them"
    )
    parser.add_argument(
        "--grace",
        type=values.seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long a node may go on after its job was interrupted; then the worker is "
        "started anew, and other jobs go on from their results (default: 5)",
    )
    parser.add_argument(
        "--verbose",
        nargs="?",
        const="DEBUG",
        default="INFO",
        choices=LEVELS,
        type=str.upper,
        help="how much to log (default: INFO)",
    )
    add_foreign(parser)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "workflow", type=values.path, metavar="FILE", help="a workflow, or a picture of one"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NODE.INPUT=VALUE",
        help="change an input before: --set 3.seed=7; repeat",
    )
    parser.add_argument(
        "--out",
        type=values.folder,
        default=Path.cwd(),
        metavar="DIR",
        help="folder for what it makes (default: here)",
    )
    parser.add_argument(
        "--server", type=values.server, metavar="URL", help="of a running service to use"
    )


def _add_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=values.path, metavar="FILE", help="a workflow or a picture")
    parser.add_argument(
        "--editor", action="store_true", help="as the editor saves it (default: in API format)"
    )
    parser.add_argument(
        "--out", type=values.folder, metavar="FILE", help="default: standard output"
    )
    parser.add_argument(
        "--server", type=values.server, metavar="URL", help="of a running service to use"
    )
