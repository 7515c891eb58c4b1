"""The texts of a trace; Python twin of native/strings.c."""

from collections.abc import Iterable


class Strings(list[str]):
    """The texts of a trace by number. The one in C makes those alone that somebody reads."""

    def __init__(self, texts: Iterable[str]) -> None:
        super().__init__(texts)
        self._first: dict[str, int] = {}
        for number, text in enumerate(self):
            self._first.setdefault(text, number)

    def find(self, text: str) -> int:
        """The number of the first that is equal; -1 if none is."""
        return self._first.get(text, -1)

    def append(self, text: str) -> None:
        self._first.setdefault(text, len(self))
        super().append(text)
