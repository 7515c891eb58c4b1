"""How long every task of a trace was ready, computed by trace_processor in SQL."""

from __future__ import annotations

from tests.support.trace_processor import TP, Row
from tracer import schema

# A state slice belongs to the lifetime slice around it (on a lane), else to the task its track
# was made for, named by the first slice. PERCENTILE interpolates between the closest ranks.
PER_TASK = f"""
WITH own AS (
  SELECT track_id,
         MAX(EXTRACT_ARG(arg_set_id, 'debug.{schema.ARG_TASK}')) AS task,
         MAX(EXTRACT_ARG(arg_set_id, 'debug.{schema.ARG_NAME}')) AS name
  FROM slice WHERE category = '{schema.CAT_TASK}' AND depth = 0 GROUP BY track_id
), ready AS (
  SELECT s.dur,
         COALESCE(EXTRACT_ARG(p.arg_set_id, 'debug.{schema.ARG_TASK}'), own.task) AS task,
         COALESCE(EXTRACT_ARG(p.arg_set_id, 'debug.{schema.ARG_NAME}'), own.name) AS name
  FROM slice s
  LEFT JOIN slice p ON p.id = s.parent_id AND p.category = '{schema.CAT_LIFETIME}'
  LEFT JOIN own ON own.track_id = s.track_id
  WHERE s.category = '{schema.CAT_TASK}' AND s.name = '{schema.READY}'
)
SELECT task, name, COUNT(*) AS count, SUM(dur) AS total, MIN(dur) AS least, MAX(dur) AS max,
       PERCENTILE(dur, 50) AS p50, PERCENTILE(dur, 99) AS p99
FROM ready GROUP BY task ORDER BY task
"""


def ready_times(tp: TP) -> list[Row]:
    """One row per task that was ever ready: count, total, max, p50 and p99 in ns."""
    return tp.query(PER_TASK)
