"""Uploads are parsed by asyncio.to_thread, six at a time.
truth: `asyncio_N` share the GIL, in `parse_upload`; the loop's thread waits for it."""
import asyncio
import time
import xml.etree.ElementTree as tree
from xml.dom import minidom

DOC = "<orders>" + "".join(f"<order id='{n}'><name>n{n}</name><price>{n}</price></order>" for n in range(500)) + "</orders>"


def parse_upload(text):
    dom = minidom.parseString(text)
    return [node.getAttribute("id") for node in dom.getElementsByTagName("order")]


async def upload(n):
    for _ in range(12):
        await asyncio.to_thread(parse_upload, DOC)


async def pings(late):
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.02
        await asyncio.sleep(0.02)
        late.append(loop.time() - due)


async def main():
    late = []
    task = asyncio.create_task(pings(late))
    await asyncio.gather(*(upload(n) for n in range(8)))
    task.cancel()


asyncio.run(main())
