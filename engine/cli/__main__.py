"""``python -m engine.cli`` is `soundstage`."""

import sys

from engine.cli.main import main

sys.exit(main())
