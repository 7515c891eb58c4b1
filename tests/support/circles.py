"""Circles in a graph of who needs whom."""

from collections.abc import Iterator, Mapping


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Nodes of which each needs the next, and the last the first; [] if there is none."""
    done: set[str] = set()
    for start in sorted(graph):
        chain: list[str] = []
        pending: list[Iterator[str]] = [iter([start])]
        while pending:
            node = next(pending[-1], None)
            if node is None:
                pending.pop()
                if chain:
                    done.add(chain.pop())
            elif node in chain:
                return chain[chain.index(node) :]
            elif node not in done:
                chain.append(node)
                pending.append(iter(sorted(graph.get(node, set()))))
    return []
