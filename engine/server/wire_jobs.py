"""ComfyUI's JSON for the lists of jobs that editors keep in their side bars: /jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from engine.authoring.protocols import WARNINGS
from engine.run.run_record import RunRecord
from engine.server import wire
from engine.server.request_parsing import BadInput, is_job_id, whole
from engine.store.history import HistoryEntry, Job, JobInfo, JobResult, Status
from engine.store.listing import STATUSES, JobPage, JobQuery, Order

NAMES: dict[Status, str] = {
    "pending": "pending",
    "running": "in_progress",
    "success": "completed",
    "error": "failed",
    "interrupted": "cancelled",
}
SORTS: dict[str, Order] = {
    "created_at": "created",
    "execution_duration": "duration",
    "queue": "place",
}
ORDERS = ("asc", "desc")
LONGEST_PAGE = 1000
MOST_IDS = 10_000
PREVIEWABLE = {
    "images": "images",
    "gifs": "video",
    "video": "video",
    "videos": "video",
    "audio": "audio",
    "3d": "3d",
}
"""What an output node shows, by its key, and the kind of media that is."""


def wanted(query: dict[str, str]) -> JobQuery:
    """The parameters of GET /jobs; a page never has more than 1 000 jobs.

    Raises:
        BadInput: names the one that is wrong.
    """
    sort, order = query.get("sort_by", "created_at"), query.get("sort_order", "desc")
    if sort not in SORTS:
        raise BadInput("invalid_sort_by", f"sort_by must be one of: {', '.join(SORTS)}")
    if order not in ORDERS:
        raise BadInput("invalid_sort_order", f"sort_order must be one of: {', '.join(ORDERS)}")
    limit = _number(query, "limit", "limit must be a positive integer", least=1)
    offset = _number(query, "offset", "offset must be a non-negative integer", least=0)
    return JobQuery(
        statuses=_statuses(query.get("status", "")),
        workflow=query.get("workflow_id") or None,
        by=SORTS[sort],
        descending=order == "desc",
        limit=min(limit or LONGEST_PAGE, LONGEST_PAGE),
        offset=offset or 0,
    )


def _statuses(text: str) -> tuple[Status, ...]:
    names = {name.strip().lower() for name in text.split(",")} - {""}
    unknown = names - set(NAMES.values())
    if unknown:
        raise BadInput(
            "invalid_status",
            f"status {', '.join(sorted(unknown))[:100]!r} is unknown; "
            f"it must be some of: {', '.join(NAMES.values())}",
        )
    return tuple(status for status in STATUSES if not names or NAMES[status] in names)


def _number(query: dict[str, str], name: str, must: str, *, least: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    value = whole(text)
    if value is None or value < least:
        raise BadInput(f"invalid_{name}", must)
    return value


def job_ids(body: dict[str, Any]) -> list[str]:
    """The jobs that POST /jobs/cancel names.

    Raises:
        BadInput: there is no list of ids, or some cannot be ids (its facts: invalid_ids).
    """
    given = body.get("job_ids")
    if not isinstance(given, list) or not given:
        raise BadInput("invalid_job_ids", "job_ids must be a non-empty list of job ids")
    ids = cast("list[Any]", given)
    if len(ids) > MOST_IDS:
        raise BadInput(
            "invalid_job_ids", f"job_ids has more than {MOST_IDS} ids; send them in parts"
        )
    invalid = [id for id in ids if not is_job_id(id)]
    if invalid:
        raise BadInput(
            "invalid_job_ids", "job_ids contains invalid id(s)", invalid_ids=invalid[:100]
        )
    return ids


def refused(error: BadInput) -> dict[str, Any]:
    """The body of a 400 of these routes."""
    return {"error": str(error), **error.facts}


def page(found: JobPage, wanted: JobQuery, began: Mapping[str, int]) -> dict[str, Any]:
    """The answer of GET /jobs; `began`: when each running job did, ms since 1970."""
    return {
        "jobs": [job(standing, began) for standing in found.jobs],
        "pagination": {
            "offset": wanted.offset,
            "limit": wanted.limit,
            "total": found.total,
            "has_more": wanted.offset + found.rows < found.total,
        },
    }


def job(standing: JobInfo, began: Mapping[str, int]) -> dict[str, Any]:
    """One job as the list shows it; what there is nothing to say of is left out."""
    outputs = list(_outputs(standing.outcome))
    media = [output for output in outputs if "mediaType" in output]
    shown: dict[str, Any] = {
        "id": standing.job.id,
        "status": NAMES[standing.status],
        "priority": wire.plain(standing.job.number),
        "create_time": standing.job.created,
        "outputs_count": len(outputs),
        "previewable_outputs_count": len(media),
    }
    if standing.workflow is not None:
        shown["workflow_id"] = standing.workflow
    if media:
        shown["preview_output"] = next(
            (output for output in media if output.get("type") == "output"), media[0]
        )
    if standing.status == "running" and standing.job.id in began:
        shown["execution_start_time"] = began[standing.job.id]
    if standing.outcome is not None:
        shown |= _times(standing.job.id, standing.outcome)
    return shown


def _times(id: str, outcome: JobResult) -> dict[str, Any]:
    times: dict[str, Any] = {
        "execution_start_time": outcome.started,
        "execution_end_time": outcome.ended,
    }
    if outcome.status == "error":
        times["execution_error"] = wire.execution_end(id, outcome)[1]
    return times


def _outputs(outcome: JobResult | None) -> Iterator[dict[str, Any]]:
    """Every file and text that was shown; files of media that can be looked at have a mediaType.

    Warnings are no outputs of a job: clients would show them as its text.
    """
    for node, shown in (outcome.shown if outcome else {}).items():
        for key, items in shown.items():
            for item in items if key != WARNINGS else ():
                if isinstance(item, dict) and "filename" in item:
                    file = cast("dict[str, Any]", item)
                    kind = {"mediaType": PREVIEWABLE[key]} if key in PREVIEWABLE else {}
                    yield {**file, "nodeId": node, **kind}
                elif isinstance(item, str):
                    yield {"content": item, "nodeId": node}


def detail(standing: JobInfo, began: Mapping[str, int], record: RunRecord | None) -> dict[str, Any]:
    """The answer of GET /jobs/{id}: also the workflow, and what came of it.

    `record`: what came of a running job so far.
    """
    shown = job(standing, began)
    if not isinstance(standing.job, Job):
        return shown
    number, _, prompt, extra, _ = wire.queue_item(standing.job)
    shown["priority"] = number
    shown["workflow"] = {"prompt": prompt, "extra_data": extra}
    if standing.outcome is None and record is not None:
        shown |= _so_far(record.started.cached, record.shown, record.spans)
    if standing.outcome is not None:
        entry = wire.history_entry(HistoryEntry(standing.job, standing.outcome))
        shown |= _so_far(standing.outcome.cached, entry["outputs"], standing.outcome.spans)
        shown["execution_status"] = entry["status"]
    return shown


def _so_far(cached: list[str], outputs: Any, spans: Any) -> dict[str, Any]:
    return {"cached": cached, "outputs": outputs, "spans": spans}
