"""HEALTHY: a client whose server is away tries again, later each time, and gives up."""
import socket

import tenacity

with socket.create_server(("127.0.0.1", 0)) as gone:
    address = gone.getsockname()


@tenacity.retry(
    wait=tenacity.wait_exponential(multiplier=0.02, max=0.5),
    stop=tenacity.stop_after_delay(1.5),
    reraise=True,
)
def sync():
    socket.create_connection(address).close()


try:
    sync()
except OSError:
    pass
