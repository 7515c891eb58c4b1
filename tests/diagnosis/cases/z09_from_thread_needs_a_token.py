"""anyio: worker threads call coroutines that need a worker thread themselves
(as nested `from_thread.run` in dependencies of Starlette and FastAPI).
truth: both tokens of anyio's limiter are held by threads in `sync_view`, which wait in from_thread.run for
`load_user`, which needs a thread (token) itself: a circle; ends by fail_after 2 s."""
import anyio
import anyio.from_thread
import anyio.to_thread


def read_file(name):
    return sum(map(ord, name)) * 7


async def load_user(name):
    return await anyio.to_thread.run_sync(read_file, name, abandon_on_cancel=True)


def sync_view(n):
    user = anyio.from_thread.run(load_user, f"user{n}")
    return user + n


async def request(n, answers):
    answers.append(await anyio.to_thread.run_sync(sync_view, n))


async def background():
    while True:
        await anyio.sleep(0.1)
        sum(range(1000))


async def main():
    anyio.to_thread.current_default_thread_limiter().total_tokens = 2
    answers = []
    async with anyio.create_task_group() as group:
        group.start_soon(background)
        await request(0, answers)
        await anyio.sleep(0.2)
        with anyio.move_on_after(2):
            async with anyio.create_task_group() as burst:
                for n in range(4):
                    burst.start_soon(request, n, answers)
        print(len(answers), "answers")
        group.cancel_scope.cancel()


try:
    anyio.run(main)
except BaseException as error:
    print(repr(error)[:100])
