"""An API outside stands still once, and all tasks of a batch with it.
truth: 8 `worker` wait for a response in `fetch` for 1.4 s, and all go on at the same moment."""
import asyncio
import os
import signal
import sys

import aiohttp

SERVER = """
import http.server
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()
"""


async def fetch(session, url, n):
    async with session.get(f"{url}/{n}") as answer:
        return await answer.text()


async def worker(session, url, items, out):
    while (n := await items.get()) is not None:
        out.append((n, await fetch(session, url, n)))
        await asyncio.sleep(0.01)


async def main():
    child = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", SERVER, stdout=asyncio.subprocess.PIPE)
    url = f"http://127.0.0.1:{int(await child.stdout.readline())}"
    items, out = asyncio.Queue(), []
    async with aiohttp.ClientSession() as session:
        workers = [asyncio.create_task(worker(session, url, items, out)) for _ in range(8)]
        for n in range(500):
            items.put_nowait(n)
        for _ in workers:
            items.put_nowait(None)
        await asyncio.sleep(0.5)
        os.kill(child.pid, signal.SIGSTOP)
        await asyncio.sleep(1.4)
        os.kill(child.pid, signal.SIGCONT)
        await asyncio.gather(*workers)
    child.terminate()
    await child.wait()


asyncio.run(main())
