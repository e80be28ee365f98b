"""ComfyUI's JSON, spelled here and in wire_*.py: what the engine says, as its clients read it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from engine.authoring.protocols import FolderKind
from engine.graph.errors import PromptError
from engine.run.submission import Receipt
from engine.run.worker import WorkerStatus
from engine.server.machine import Machine
from engine.store.history import Failure, HistoryEntry, Job, JobResult, Partial, RawJob, Span

COMFYUI_VERSION = "0.3.64"
"""The release of ComfyUI whose protocol this service speaks."""

BLOCKED = "ExecutionBlocked"
"""What clients know a node as that did not run because an input says so."""

PREVIEW_IMAGE = 1
TEXT = 3
PREVIEW_IMAGE_WITH_METADATA = 4
SOUND = 1001
JPEG = 1
PNG = 2
PNG_BEGINS = b"\x89PNG"

PASSING = frozenset({"progress", "progress_state"})
"""Messages that a later one of their kind outdates."""


def encoded(value: Any) -> bytes:
    """Strict JSON; NaN and infinities become null."""
    return msgspec.json.encode(value)


# --- jobs ------------------------------------------------------------------------------------


def queue_item(job: Job | RawJob) -> list[Any]:
    """A job as /queue and /history list it: five items."""
    extra = {**job.extra, "create_time": job.created}
    return [plain(job.number), job.id, job.prompt, extra, job.outputs]


def plain(number: float) -> float:
    """5 rather than 5.0, as clients know it."""
    return int(number) if abs(number) < 2**53 and number == int(number) else number


def queue(running: list[RawJob], pending: list[RawJob]) -> dict[str, Any]:
    """The answer of GET /queue."""
    return {
        "queue_running": [queue_item(job) for job in running],
        "queue_pending": [queue_item(job) for job in pending],
    }


def receipt(receipt: Receipt) -> dict[str, Any]:
    """The answer of POST /prompt; node_errors are those of outputs that were dropped."""
    number = plain(receipt.number)
    return {"prompt_id": receipt.id, "number": number, "node_errors": receipt.errors}


def exec_info(remaining: int) -> dict[str, Any]:
    """How many jobs wait or run: the answer of GET /prompt and the heart of `status`."""
    return {"exec_info": {"queue_remaining": remaining}}


def history(entries: list[HistoryEntry]) -> dict[str, Any]:
    """The answer of GET /history, oldest first."""
    return {entry.job.id: history_entry(entry) for entry in entries}


def history_entry(entry: HistoryEntry) -> dict[str, Any]:
    """One ended job."""
    job, outcome = entry.job, entry.outcome
    good = outcome.status == "success"
    return {
        "prompt": queue_item(job),
        "outputs": outcome.shown,
        "status": {
            "status_str": "success" if good else "error",
            "completed": good,
            "messages": [
                execution_start(job.id, outcome.started),
                execution_cached(job.id, outcome.cached, outcome.started),
                execution_end(job.id, outcome),
            ],
        },
        "meta": {
            node: {
                "node_id": node,
                "display_node": outcome.display.get(node, node),
                "parent_node": None,
                "real_node_id": node,
            }
            for node in outcome.shown
        },
    }


def execution_start(job: str, at: int) -> tuple[str, dict[str, Any]]:
    """The job's first message."""
    return "execution_start", {"prompt_id": job, "timestamp": at}


def execution_cached(job: str, cached: list[str], at: int) -> tuple[str, dict[str, Any]]:
    """The job's second message, always sent."""
    return "execution_cached", {"nodes": cached, "prompt_id": job, "timestamp": at}


def execution_end(job: str, outcome: JobResult) -> tuple[str, dict[str, Any]]:
    """How the job ended."""
    return ending(job, outcome.status, outcome.ended, outcome.failure, outcome.partial)


def ending(
    job: str, status: str, at: int, failure: Failure | None, partial: Partial | None
) -> tuple[str, dict[str, Any]]:
    """execution_success, execution_interrupted or execution_error; never a traceback."""
    if status == "success":
        whole = {"prompt_id": job, "timestamp": at}
        return "execution_success", whole if partial is None else whole | _partial(partial)
    where: dict[str, Any] = {
        "prompt_id": job,
        "node_id": failure.node if failure else None,
        "node_type": failure.node_type if failure else None,
        "executed": failure.executed if failure else [],
        "timestamp": at,
    }
    if status == "interrupted":
        return "execution_interrupted", where
    failed = failure or Failure("", "", "The job failed.", "Failure")
    return "execution_error", where | _why(failed)


def _partial(partial: Partial) -> dict[str, Any]:
    """What did not run of a job that went on after failures."""
    return {
        "completion_status": "partial_success",
        "has_errors": True,
        "execution_error_count": partial.errors,
        "blocked_output_node_ids": partial.blocked_outputs,
        "blocked_node_ids": partial.blocked,
        "successful_output_node_ids": partial.successful_outputs,
    }


def node_failed(job: str, failure: Failure, at: int) -> tuple[str, dict[str, Any]]:
    """A node failed, or was blocked with a message, and the job goes on."""
    where = {
        "prompt_id": job,
        "node_id": failure.node,
        "node_type": failure.node_type,
        "executed": failure.executed,
        "timestamp": at,
    }
    blocked = failure.exception == BLOCKED
    return "execution_error" if blocked else "execution_node_error", where | _why(failure)


def _why(failure: Failure) -> dict[str, Any]:
    return {
        "exception_message": failure.message,
        "exception_type": failure.exception,
        "traceback": [],
        "current_inputs": failure.inputs,
        "current_outputs": failure.executed,
    }


# --- errors ----------------------------------------------------------------------------------


def error(type: str, message: str, details: str = "", **extra_info: Any) -> dict[str, Any]:
    """The body of every 4xx answer."""
    return {
        "error": {
            "type": type,
            "message": message,
            "details": details or message,
            "extra_info": extra_info,
        },
        "node_errors": {},
    }


def prompt_error(refused: PromptError) -> dict[str, Any]:
    """The body of the 400 for a prompt that cannot run."""
    return {
        "error": {
            "type": refused.type,
            "message": refused.message,
            "details": refused.details,
            "extra_info": refused.extra_info,
        },
        "node_errors": refused.node_errors,
    }


# --- WebSocket -------------------------------------------------------------------------------


def message(type: str, data: Any, seq: int | None = None) -> bytes:
    """One text message; those that can be asked for again have a number, `seq`."""
    if seq is None:
        return encoded({"type": type, "data": data})
    return encoded({"type": type, "data": data, "seq": seq})


def replayed(since: int, complete: bool) -> tuple[str, dict[str, Any]]:
    """After the messages that a client asked for again: whether these are all it missed."""
    return "replayed", {"since": since, "complete": complete}


def status(
    remaining: int, sid: str | None = None, paused: str | None = None
) -> tuple[str, dict[str, Any]]:
    """The queue's length, why it is paused; the first one a socket gets also has its `sid`."""
    held = {} if paused is None else {"worker_paused": paused}
    data: dict[str, Any] = {"status": {**exec_info(remaining), **held}}
    if sid is not None:
        data["sid"] = sid
    return "status", data


class NodeRef(NamedTuple):
    """A node as messages refer to it.

    Attributes:
        display: the node of the prompt that they shall show for one that came by expansion.
        parent: the node that was expanded into it.
    """

    node: str
    display: str
    parent: str | None = None


def executing(job: str, spot: NodeRef | None) -> tuple[str, dict[str, Any]]:
    """The node that began to run; None: the job is over and its history can be read."""
    if spot is None:
        return "executing", {"node": None, "prompt_id": job}
    return "executing", {"node": spot.node, "display_node": spot.display, "prompt_id": job}


def executed(job: str, spot: NodeRef, shown: Mapping[str, list[Any]]) -> tuple[str, dict[str, Any]]:
    """What an output node shows."""
    payload = {"node": spot.node, "display_node": spot.display, "output": shown, "prompt_id": job}
    return "executed", payload


def progress(job: str, node: str, value: int, total: int) -> tuple[str, dict[str, Any]]:
    """Steps done of one node."""
    return "progress", {"value": value, "max": total, "prompt_id": job, "node": node}


def node_progress(
    job: str, spot: NodeRef, value: float, total: float, state: str
) -> dict[str, Any]:
    """One node in `progress_state`; state is "running" or "finished"."""
    return {"value": value, "max": total, "state": state, **_named(job, spot)}


def _named(job: str, spot: NodeRef) -> dict[str, Any]:
    return {
        "node_id": spot.node,
        "prompt_id": job,
        "display_node_id": spot.display,
        "parent_node_id": spot.parent,
        "real_node_id": spot.node,
    }


def progress_state(job: str, nodes: Mapping[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Every node of the job that has begun so far."""
    return "progress_state", {"prompt_id": job, "nodes": nodes}


def with_spans(
    message: tuple[str, dict[str, Any]], spans: Mapping[str, Span]
) -> tuple[str, dict[str, Any]]:
    """A `progress_state` that also says which lane ran each node, and when."""
    type, data = message
    return type, {**data, "spans": spans}


def is_passing(picture: bytes) -> bool:
    """Whether a later picture outdates it: previews are JPEGs, what a node sends is a PNG."""
    return not picture.startswith(PNG_BEGINS)


def preview(picture: bytes) -> bytes:
    """A preview for clients that know nothing of metadata."""
    kind = PNG if picture.startswith(PNG_BEGINS) else JPEG
    return struct.pack(">II", PREVIEW_IMAGE, kind) + picture


def preview_with_metadata(job: str, spot: NodeRef, picture: bytes) -> bytes:
    """A preview that says whose it is, for clients that asked for that."""
    kind = "image/png" if picture.startswith(PNG_BEGINS) else "image/jpeg"
    metadata = encoded({**_named(job, spot), "image_type": kind})
    return struct.pack(">II", PREVIEW_IMAGE_WITH_METADATA, len(metadata)) + metadata + picture


def sound(job: str, spot: NodeRef, number: int, file: bytes) -> bytes:
    """A piece of what a node is about to give, laid out as a preview with metadata is."""
    metadata = encoded({**_named(job, spot), "number": number, "sound_type": "audio/wav"})
    return struct.pack(">II", SOUND, len(metadata)) + metadata + file


def node_text(node: str, text: str) -> bytes:
    """A line of text at a node."""
    id = node.encode()
    return struct.pack(">II", TEXT, len(id)) + id + text.encode()


def logs(lines: list[dict[str, str]]) -> tuple[str, dict[str, Any]]:
    """Lines of the log; `size` is that of a terminal, which there is none of."""
    return "logs", {"entries": lines, "size": {"cols": 80, "rows": 24}}


# --- system ----------------------------------------------------------------------------------


def stored(name: str, subfolder: str, kind: FolderKind) -> dict[str, Any]:
    """The answer of POST /upload/image."""
    return {"name": name, "subfolder": subfolder, "type": kind}


def features(max_upload_bytes: int) -> dict[str, Any]:
    """What the service can do, as clients ask before they use it.

    "assets" is not promised: ComfyUI's app would then look for models among them, by tags of its
    makers' own.
    """
    return {
        "supports_preview_metadata": True,
        "max_upload_size": max_upload_bytes,
        "node_replacements": True,
    }


def system_stats(
    machine: Machine, facts: Mapping[str, Any], worker: WorkerStatus, front_end: str = ""
) -> dict[str, Any]:
    """The answer of GET /system_stats.

    Clients look at the first device without asking whether there is one, so there always is.
    `failures` are node packs, and nodes of them, that could not be loaded, and why. Versions of
    templates are ours, as the templates are.

    Args:
        machine: as the server sees it.
        facts: the worker's, empty until it is up.
        worker: whether it runs jobs now; while it is paused, no job starts.
        front_end: version of somebody else's browser app at /; "" where it is not known.
    """
    cpu = {"name": "cpu", "memory": (machine.memory, machine.memory_free)}
    return {
        "system": {
            "os": machine.os,
            "ram_total": machine.memory,
            "ram_free": machine.memory_free,
            "comfyui_version": COMFYUI_VERSION,
            **({"required_frontend_version": front_end} if front_end else {}),
            "installed_templates_version": machine.version,
            "required_templates_version": machine.version,
            "soundstage_version": machine.version,
            "python_version": machine.python,
            "pytorch_version": facts.get("torch", ""),
            "embedded_python": False,
            "argv": [],
        },
        "devices": [_device(**device) for device in facts.get("devices", [cpu])],
        "failures": facts.get("failures", {}),
        "worker": msgspec.to_builtins(worker),
    }


def _device(name: str, memory: tuple[int, int]) -> dict[str, Any]:
    """One device of the worker: "cpu", "cuda:0"."""
    type, _, index = name.partition(":")
    total, free = memory
    return {
        "name": name,
        "type": type,
        "index": int(index) if index else None,
        "vram_total": total,
        "vram_free": free,
        "torch_vram_total": total,
        "torch_vram_free": free,
    }
