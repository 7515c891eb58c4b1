"""Whose name for a wait counts: the package's, asyncio's, or none."""

import asyncio
import importlib
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.recordings import record_main, task_of
from tests.support.waiting import lock_waits
from tracer.signals import libraries

SHOP = """
import asyncio
import functools

class Shop:
    def __init__(self, slots, more=0):
        self.slots, self.more = slots, more

    async def buy(self):
        await asyncio.sleep(0.001)

    async def buy_in_anyio(self):
        import anyio
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0.001)

    async def buy_through(self, other):
        await other()

    async def queue(self):
        loop = asyncio.get_running_loop()
        bell = loop.create_future()
        loop.call_later(0.001, bell.set_result, None)
        await bell

    async def queue_after(self, function):
        function()

    async def browse(self):
        await self.queue()

    async def talk(self, other):
        await other()

    async def hire(self, function, *given):
        job = functools.partial(work, function, *given)
        loop = asyncio.get_running_loop()
        bell = loop.create_future()
        loop.call_later(0.001, bell.set_result, job())
        await bell

def work(function=lambda: None, *given):
    return function(*given)
"""
WAITS = {
    "buy": "Shop.buy Shop.buy_through Shop.buy_in_anyio",
    "counter": "Shop.queue Shop.queue_after",
    "talk": "=Shop.talk",
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """An installed package whose waits have names, and a pool."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(libraries.WAITS, "shop", WAITS)
    monkeypatch.setitem(libraries.POOLS, "shop:Shop.queue", ("self", "", "slots+more"))
    monkeypatch.setitem(libraries.POOLS, "shop:Shop.queue_after", ("self", "", "slots"))
    monkeypatch.setitem(libraries.JOBS, "shop:Shop.hire", ("job", ""))
    yield importlib.import_module("shop")
    del sys.modules["shop"]


def awaits(main: Callable[[], Coroutine[Any, Any, object]], tmp_path: Path) -> list[str]:
    task = task_of(record_main(main, tmp_path), "main")
    return [state for state in task.states if state.startswith("await")]


def test_a_packages_name_counts_before_asyncios_inside_it(
    shop: ModuleType, tmp_path: Path
) -> None:
    async def main() -> None:
        await shop.Shop(1).buy()

    assert awaits(main, tmp_path) == ["await buy (shop)"]


def test_the_innermost_name_of_a_package_counts(shop: ModuleType, tmp_path: Path) -> None:
    async def main() -> None:
        await shop.Shop(1).buy_through(shop.Shop(1).browse)

    assert awaits(main, tmp_path) == ["await counter (shop)"]


def test_what_the_user_does_inside_has_its_own_name(shop: ModuleType, tmp_path: Path) -> None:
    async def later() -> None:
        await asyncio.sleep(0.001)

    async def main() -> None:
        await shop.Shop(1).buy_through(later)

    assert awaits(main, tmp_path) == ["await sleep"]


def test_a_direct_name_is_for_what_the_function_itself_awaits(
    shop: ModuleType, tmp_path: Path
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        bell = loop.create_future()
        loop.call_later(0.001, bell.set_result, None)
        await shop.Shop(1).talk(lambda: bell)
        await shop.Shop(1).talk(shop.Shop(1).buy)

    assert awaits(main, tmp_path) == ["await talk (shop)", "await buy (shop)"]


def test_a_direct_name_does_not_hide_a_task(shop: ModuleType, tmp_path: Path) -> None:
    async def main() -> None:
        helper = asyncio.create_task(asyncio.sleep(0.001), name="helper")
        await shop.Shop(1).talk(lambda: helper)

    assert awaits(main, tmp_path) == ["await task helper"]


def frames(main: Callable[[], Coroutine[Any, Any, object]], tmp_path: Path) -> list[str]:
    """The functions of the stack of the one task that hires."""
    task = task_of(record_main(main, tmp_path), "hire")
    (stack,) = (each.begin.args["stack"] for each in task.slices if "await" in each.begin.name)
    return [line.rpartition(" ")[2] for line in str(stack).split("\n")]


def users() -> None:
    """What a thread runs for a library's task."""


def test_what_a_thread_runs_stands_for_the_users_code_where_there_is_none(
    shop: ModuleType, tmp_path: Path
) -> None:
    async def main() -> None:
        await asyncio.create_task(shop.Shop(1).hire(users))

    assert frames(main, tmp_path) == ["users", "Shop.hire"]


def test_a_librarys_function_in_a_thread_stands_for_nobody(
    shop: ModuleType, tmp_path: Path
) -> None:
    async def main() -> None:
        await asyncio.create_task(shop.Shop(1).hire(shop.work))

    assert frames(main, tmp_path) == ["Shop.hire"]


def test_where_the_users_code_waits_the_stack_ends_there(
    shop: ModuleType, tmp_path: Path
) -> None:
    async def hire() -> None:
        await shop.Shop(1).hire(users)

    async def main() -> None:
        await asyncio.create_task(hire())

    *_, innermost = reversed(frames(main, tmp_path))
    assert innermost == "Shop.hire"


@pytest.mark.parametrize(
    ("slots", "more", "said"), [(2, 3, 5), (0, 0, None), (3, -1, None), (2.5, 0, None)]
)
def test_a_pool_has_a_number_and_a_size(
    slots: float, more: int, said: int | None, shop: ModuleType, tmp_path: Path
) -> None:
    async def main() -> None:
        one, other = shop.Shop(slots, more), shop.Shop(slots, more)
        for each in (one, one, other):
            await each.queue()

    task = task_of(record_main(main, tmp_path), "main")
    begins = [each.begin for each in task.slices]
    args = [begin.args for begin in begins if begin.name == "await counter (shop)"]
    assert [each.get("slots") for each in args] == [said] * 3
    first, second, third = (each["lock"] for each in args)
    assert first == second != third


def test_a_thread_that_waits_in_a_coroutine_waits_for_no_slot(
    shop: ModuleType, tmp_path: Path
) -> None:
    """It may start one for a pool, for example."""
    held = threading.Lock()
    held.acquire()

    async def main() -> None:
        await shop.Shop(1).queue_after(lambda: held.acquire(timeout=0.001))

    assert lock_waits(record_main(main, tmp_path), "Lock")


def test_a_pools_property_is_not_computed(shop: ModuleType, tmp_path: Path) -> None:
    """It would run the library's code while a hook looks at it."""
    computed = []

    class Lazy(shop.Shop):  # type: ignore[misc, name-defined]
        @property
        def more(self) -> int:
            computed.append(self)
            return 3

        @more.setter
        def more(self, more: int) -> None: ...

    async def main() -> None:
        await Lazy(2).queue()

    task = task_of(record_main(main, tmp_path), "main")
    (wait,) = (each.begin for each in task.slices if each.begin.name == "await counter (shop)")
    assert "lock" in wait.args
    assert "slots" not in wait.args
    assert computed == []


def test_a_library_that_waits_in_anyio_gives_its_name(
    shop: ModuleType, tmp_path: Path
) -> None:
    """anyio's own names are like asyncio's: for those who use it directly."""
    anyio = pytest.importorskip("anyio")

    async def wait_in_anyio() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0.001)

    async def main() -> None:
        await wait_in_anyio()
        await shop.Shop(1).buy_in_anyio()

    assert awaits(main, tmp_path) == ["await TaskGroup", "await buy (shop)"]
