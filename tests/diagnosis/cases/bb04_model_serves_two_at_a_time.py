"""A model's server answers two requests at a time; eight are asked at once, and the last waits for
all others (https://github.com/ollama/ollama/issues/358).
truth: 8 `ask` start together; 2 answers come each 0.25 s, the last ones after 1 s."""
import asyncio
import subprocess
import sys

import aiohttp

SERVER = """
import asyncio
async def main():
    slots = asyncio.Semaphore(2)
    async def serve(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        async with slots:
            await asyncio.sleep(0.25)
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


async def ask(session, url):
    async with session.get(url) as response:
        return await response.text()


async def main(port):
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/"
        await asyncio.gather(*(asyncio.create_task(ask(session, url)) for _ in range(8)))


child = subprocess.Popen([sys.executable, "-I", "-S", "-c", SERVER], stdout=subprocess.PIPE, text=True)
try:
    asyncio.run(main(int(child.stdout.readline())))
finally:
    child.kill()
    child.wait()
