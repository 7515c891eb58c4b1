"""A handler sends a metric with http.client, which takes 60 ms, on the loop's thread.
truth: `buy` waits 60 ms at a time in recv, in `send_metric`."""
import asyncio
import http.client
import subprocess
import sys

from aiohttp import ClientSession, web

SERVER = """
import http.server, time
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.06); self.send_response(204); self.end_headers()
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H); print(s.server_port, flush=True); s.serve_forever()
"""


def send_metric(port, name):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    connection.request("GET", f"/metric/{name}")
    connection.getresponse().read()
    connection.close()


async def buy(request):
    await asyncio.sleep(0.003)
    if int(request.match_info["n"]) % 4 == 0:
        send_metric(request.app["port"], "buy")
    return web.json_response({"ok": True})


async def shopper(session, url, n):
    for k in range(20):
        async with session.post(f"{url}/buy/{n + k}") as answer:
            await answer.json()
        await asyncio.sleep(0.02)


async def main():
    child = subprocess.Popen([sys.executable, "-S", "-c", SERVER], stdout=subprocess.PIPE, text=True)
    app = web.Application()
    app["port"] = int(child.stdout.readline())
    app.router.add_post("/buy/{n}", buy)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as session:
        await asyncio.gather(*(shopper(session, url, n) for n in range(6)))
    await runner.cleanup()
    child.terminate()
    child.wait()


asyncio.run(main())
