"""The functions for a program's own events where the C core is missing: they do nothing."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, SupportsFloat, SupportsIndex

kept: "dict[str, Any]" = {}
running: list[object] = []


class region:
    """See tracer._core.region."""

    __slots__ = ()

    def __init__(self, name: str, /, **arguments: object) -> None: ...

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        value: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None: ...

    async def __aenter__(self) -> None: ...

    async def __aexit__(
        self,
        kind: "type[BaseException] | None",
        value: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None: ...

    def __call__[F: Callable[..., object]](self, function: F, /) -> F:
        return function


class task(region):
    """See tracer._core.task."""

    __slots__ = ()


def log(message: str, /, **arguments: object) -> None: ...


def counter(name: str, value: "SupportsFloat | SupportsIndex", /) -> None: ...
