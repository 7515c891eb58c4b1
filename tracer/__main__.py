"""`python -m tracer` is the command `tracer`."""

import sys

from tracer.cli import main

sys.exit(main())
