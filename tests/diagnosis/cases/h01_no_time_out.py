"""A request without a time-out to a server that never answers
(https://github.com/psf/requests/issues/3070).
truth: `sync_prices` waits in recv from 0.1 s to the end; main gives up the join after 1.3 s."""
import socket
import threading

import requests

silent = socket.create_server(("127.0.0.1", 0))  # its backlog accepts, nobody answers


def sync_prices():
    requests.get(f"http://127.0.0.1:{silent.getsockname()[1]}/prices")


worker = threading.Thread(target=sync_prices, name="price-sync", daemon=True)
worker.start()
worker.join(1.3)
print("truth", worker.is_alive())
