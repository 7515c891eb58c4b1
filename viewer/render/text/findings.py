"""The findings: what is wrong with the program."""

from tracer.units import plural
from viewer.analysis.findings import Finding
from viewer.analysis.findings.basis.order import is_advice
from viewer.analysis.report import Report
from viewer.render.text.tables import Style, wrap


def findings(report: Report, top: int, style: Style) -> str:
    if not report.findings:
        return no_findings(report, style)
    lines = [style.title(title(report))]
    for number, finding in enumerate(report.findings[:top], 1):
        lines += [*numbered(number, finding, style), *next_step(finding, style)]
    if len(report.findings) > top:
        lines.append(f"  … and {plural(len(report.findings) - top, 'finding')} more (--top)")
    return "\n".join(lines)


def title(report: Report) -> str:
    """What stands above the findings: where all is advice, a reader sees that at once."""
    is_advice_only = all(map(is_advice, report.findings))
    return "Findings: none of the known problems, but advice" if is_advice_only else "Findings"


def no_findings(report: Report, style: Style) -> str:
    lines = wrap(f"Findings: {nothing_found(report)}", style.width)
    return "\n".join(line.removeprefix("  ") for line in lines)


def nothing_found(report: Report) -> str:
    """The sentence after "Findings:" when there are none."""
    where = " in this process; its children are not recorded" if report.health.children else ""
    return f"none of the known problems was found{where}."


def numbered(number: int, finding: Finding, style: Style) -> list[str]:
    return wrap(f"{number}. {finding.text}", style.width)


def next_step(finding: Finding, style: Style) -> list[str]:
    """What to do, where the finding's text does not end with it."""
    lines = wrap(finding.next_step, style.width - 2) if finding.next_step else []
    return [f"  {lines[0]}", *lines[1:]] if lines else []
