"""What becomes of the jobs of a service that ended, when the next one opens their queue."""

from __future__ import annotations

import sqlite3


def recover(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Let the jobs wait again that ran when their service ended.

    For those that had begun, that death is one of their attempts: one of them may have taken the
    service down.

    Returns:
        The last `seq` that was used, the last place in the history, how many jobs wait.
    """
    connection.execute(
        "UPDATE jobs SET status='pending', lease=NULL, attempts=attempts+begun, begun=0 "
        "WHERE status='running'"
    )
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name='jobs'")
    # The gallery counts by it, and outlives a history that was cleared.
    shown = "SELECT ended FROM gallery ORDER BY seq DESC LIMIT 1"
    ended = connection.execute(
        "SELECT max(ended) FROM (SELECT max(ended) AS ended FROM jobs "
        f"WHERE ended IS NOT NULL UNION ALL SELECT * FROM ({shown}))"
    )
    count = connection.execute("SELECT count(*) FROM jobs WHERE status='pending'")
    return (last.fetchone() or (0,))[0], ended.fetchone()[0] or 0, count.fetchone()[0]
