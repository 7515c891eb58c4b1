"""Tests: hand-made traces, the recorder in child processes, Perfetto as the judge."""
