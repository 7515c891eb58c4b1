"""Explanations as JSON, in the shape that viewer/NOTES.md promises under "Why"."""

import json
from collections.abc import Sequence

from viewer.analysis.causes.part import Cause
from viewer.analysis.causes.samples import Hot
from viewer.analysis.findings.basis.facts import Finding
from viewer.analysis.why.explain import Explanation
from viewer.analysis.why.step import Step
from viewer.analysis.why.worst import Answer
from viewer.render.text.steps import step_text
from viewer.render.text.why import in_tree, paragraph, worded
from viewer.trace.sites import via

SCHEMA = 1

type Json = dict[str, "Json | str | int | bool | list[Json] | None"]


def to_json(explanation: Explanation) -> Json:
    """Times are in ns since the start of the trace; `causes` add up to `ns`."""
    wait, waiter, base = explanation.wait, explanation.waiter, explanation.base_ns
    return {
        "what": wait.what.value,
        "start_ns": wait.start_ns - base,
        "end_ns": wait.end_ns - base,
        "ns": wait.ns,
        "waiter": {
            "name": waiter.name,
            "coro": waiter.coro,
            "site": waiter.site,
            "via": via(waiter.site),
            "task": waiter.task,
            "tid": waiter.tid,
            "process": waiter.process,
        },
        "subject": explanation.subject,
        "site": explanation.site,
        "via": via(explanation.site),
        "is_over": explanation.is_over,
        "acquired": explanation.acquired,
        "causes": [
            cause_json(cause) | {"text": in_tree(said)}
            for cause, said in zip(explanation.causes, worded(explanation), strict=True)
        ],
        "path": [_step(step, base) for step in explanation.path],
    }


def render_json(file: str, answer: Answer, told: Sequence[Finding | None]) -> str:
    """The whole answer; `alike` counts the waits that each one stands for, `finding` is the
    one of the report that tells of it."""
    waits = [
        to_json(problem.worst)
        | {
            "alike": {"count": problem.count, "total_ns": problem.total_ns},
            "text": paragraph(problem),
            "finding": _finding(finding),
        }
        for problem, finding in zip(answer.problems, told, strict=True)
    ]
    found = {
        "schema": SCHEMA,
        "trace": {"file": file},
        "at_least_ns": answer.at_least_ns,
        "waits": waits,
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _finding(finding: Finding | None) -> Json | None:
    if finding is None:
        return None
    return {"finding": finding.finding, "text": finding.text, "next_step": finding.next_step}


def cause_json(cause: Cause) -> Json:
    return {
        "kind": cause.kind.value,
        "who": cause.who,
        "site": cause.site,
        "via": via(cause.site),
        "ns": cause.ns,
        "count": cause.count,
        "holds_gil": cause.holds_gil,
        "text": in_tree(cause),
        "samples": [_hot(hot) for hot in cause.hot],
        "parts": [cause_json(part) for part in cause.parts],
    }


def _hot(hot: Hot) -> Json:
    return {
        "function": hot.function,
        "file": hot.file,
        "line": hot.line,
        "samples": hot.samples,
        "of": hot.of,
    }


def _step(step: Step, base_ns: int) -> Json:
    return {
        "did": step.did.value,
        "who": step.who,
        "what": step.what,
        "site": step.site,
        "via": via(step.site),
        "text": step_text(step),
        "start_ns": step.start_ns - base_ns,
        "end_ns": step.end_ns - base_ns,
    }
