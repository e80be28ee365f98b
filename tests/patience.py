"""How long tests wait for a state: only what hangs takes longer, on a busy machine too.

No test waits for a time to pass; all take their limits from here.
"""

SECONDS = 300
MILLISECONDS = SECONDS * 1000
