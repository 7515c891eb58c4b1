"""After github.com/NousResearch/hermes-agent/issues/31417: a line of a child's output is longer than the reader's limit.

Truth: `read_events` fails with ValueError at the first long line (after 0.4 s); nobody reads the pipe after that, the
child stands in `write`, and `run_agent` waits 3 s in `proc.wait()` and kills it.
"""

import asyncio
import json
import sys

CHILD = """
import json, time
for n in range(8):
    print(json.dumps({"event": n, "text": "x" * 100}), flush=True)
    time.sleep(0.05)
for n in range(40):
    print(json.dumps({"file": n, "content": "y" * 100_000}), flush=True)
"""


class Agent:
    def __init__(self):
        self.events = []

    async def read_events(self, stream):
        while line := await stream.readline():
            self.events.append(json.loads(line))

    async def log_errors(self, stream):
        while line := await stream.readline():
            print("agent:", line.decode().strip())


async def run_agent(agent):
    proc = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    readers = [
        asyncio.create_task(agent.read_events(proc.stdout)),
        asyncio.create_task(agent.log_errors(proc.stderr)),
    ]
    try:
        await asyncio.wait_for(proc.wait(), 3.0)
    except TimeoutError:
        proc.kill()
    results = await asyncio.gather(*readers, return_exceptions=True)
    return results[0]


async def main():
    agent = Agent()
    error = await run_agent(agent)
    print("truth", len(agent.events), "events,", repr(error))


asyncio.run(main())
