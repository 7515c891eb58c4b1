"""A blocking TLS handshake in a coroutine: the peer takes its time
(home-assistant "Detected blocking call" reports, e.g. https://github.com/SecKatie/wyzeapy/pull/326).
truth: `send_alert` connects with ssl.wrap_socket of a blocking socket; do_handshake stands 250 ms, 4 times, on
the loop's thread, and 10 `poll_sensor` tasks wait."""
import asyncio
import socket
import ssl
import threading
import time


def silent_server(listener):
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        time.sleep(0.25)
        peer.close()


async def send_alert(port):
    context = ssl._create_unverified_context()
    try:
        with socket.create_connection(("127.0.0.1", port)) as raw:
            context.wrap_socket(raw, server_hostname="alerts.example")
    except OSError:
        return False


async def poll_sensor():
    while True:
        await asyncio.sleep(0.01)


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=silent_server, args=(listener,), daemon=True).start()
    sensors = [asyncio.create_task(poll_sensor()) for _ in range(10)]
    for _ in range(4):
        await asyncio.sleep(0.1)
        await send_alert(listener.getsockname()[1])
    for sensor in sensors:
        sensor.cancel()


asyncio.run(main())
