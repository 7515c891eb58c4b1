"""agent-os #1111, croniter #195: a dict at module level that gets an entry for each session and never loses one.

Truth: `remember` keeps 250 KB for each of 800 requests: memory grows by 200 MB, steadily, to the end.
"""
import queue
import threading
import time

BASELINES: dict[str, bytearray] = {}


def remember(session: str) -> None:
    BASELINES[session] = bytearray(b"x" * 250_000)


def serve(requests: "queue.Queue[str | None]") -> None:
    while (session := requests.get()) is not None:
        remember(session)
        sum(range(5000))


def main() -> None:
    requests: "queue.Queue[str | None]" = queue.Queue()
    server = threading.Thread(target=serve, args=(requests,), name="server")
    server.start()
    for number in range(800):
        requests.put(f"session-{number}")
        time.sleep(0.003)
    requests.put(None)
    server.join()
    print(len(BASELINES))


main()
