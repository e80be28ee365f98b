"""Speed, as tables. Each module runs by itself: ``python -m benchmarks.startup``.

Numbers depend on the machine and on what else runs: compare ratios and medians of one run.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in the worker process
