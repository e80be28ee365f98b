"""How long tests wait for a state: only what hangs takes longer, on a busy machine too.

No test waits for a time to pass; all take their limits from here. `PATIENCE=20 pytest ...` shortens
them for who writes tests on a quiet machine.
"""

import os

SECONDS = int(os.environ.get("PATIENCE", "300"))
MILLISECONDS = SECONDS * 1000
