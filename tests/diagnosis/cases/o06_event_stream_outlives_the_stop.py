"""uvicorn waits, when it is told to stop, for a stream of events that never ends, until its
client goes (https://github.com/Kludex/uvicorn/issues/451).
truth: the stop takes 1.6 s, in which `events` sleeps between two events."""
import asyncio
import subprocess
import sys
import threading
import time

import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

PORT = 18796
CLIENT = """
import socket, sys, time
for _ in range(200):
    try:
        stream = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        time.sleep(0.05)
stream.sendall(b"GET /events HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
print("open", flush=True)
end = time.monotonic() + 2.4
while time.monotonic() < end:
    stream.recv(1000)
"""


async def events():
    while True:
        yield b"data: tick\n\n"
        await asyncio.sleep(0.2)


async def stream(request):
    return StreamingResponse(events(), media_type="text/event-stream")


def stop():
    command = [sys.executable, "-I", "-S", "-c", CLIENT, str(PORT)]
    client = subprocess.Popen(command, stdout=subprocess.PIPE)
    client.stdout.readline()
    time.sleep(0.8)
    server.should_exit = True
    client.wait()


application = Starlette(routes=[Route("/events", stream)])
server = uvicorn.Server(uvicorn.Config(application, port=PORT, log_level="error"))
threading.Thread(target=stop, daemon=True).start()
server.run()
