"""A dashboard sends to its websockets one after the other, and one of them does not read
(Iamkewl/Attendence-V3#38).

`broadcaster` stands for 1.3 s and more in `ws.send` of `broadcast`; the handlers only wait for
the ends of their connections. The eight other tabs get nothing meanwhile.
"""

import asyncio, socket, time
import uvloop
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

clients = []
MSG = "x" * 500_000

async def handler(ws):
    clients.append(ws)
    try: await ws.wait_closed()
    finally: clients.remove(ws)

async def broadcast(msg):
    for ws in list(clients):
        await ws.send(msg)

async def broadcaster():
    while True:
        await asyncio.sleep(0.02); await broadcast(MSG)

async def tab(port, i):
    gaps, last = [], time.perf_counter()
    async with connect(f"ws://127.0.0.1:{port}", ping_interval=None) as ws:
        try:
            async with asyncio.timeout(1.7):
                async for _ in ws:
                    now = time.perf_counter(); gaps.append(now - last); last = now
        except TimeoutError:
            print(f"truth tab {i}: {len(gaps)} messages, silent for the last {time.perf_counter()-last:.2f} s")

async def frozen_tab(port):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096); s.setblocking(False)
    loop = asyncio.get_running_loop(); await loop.sock_connect(s, ("127.0.0.1", port))
    await loop.sock_sendall(s, b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    await asyncio.sleep(1.8); s.close()

async def main():
    async with serve(handler, "127.0.0.1", 0, ping_interval=None, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        tabs = [asyncio.create_task(tab(port, i), name=f"tab-{i}") for i in range(8)]
        await asyncio.sleep(0.1)
        b = asyncio.create_task(broadcaster(), name="broadcaster")
        f = asyncio.create_task(frozen_tab(port), name="frozen-tab")
        await asyncio.gather(*tabs, f); b.cancel()

uvloop.run(main())
