"""A client connects again and again without a pause
(https://github.com/aleph-im/pyaleph/pull/28).
truth: `sync` calls connect thousands of times in 1.5 s; each is refused at once."""
import socket
import time

import tenacity

with socket.create_server(("127.0.0.1", 0)) as gone:
    address = gone.getsockname()


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(OSError),
    stop=tenacity.stop_after_delay(1.5),
    reraise=True,
)
def sync():
    with socket.create_connection(address):
        pass


try:
    sync()
except OSError:
    print("truth:", sync.statistics["attempt_number"], "attempts")
