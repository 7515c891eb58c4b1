"""A broadcast builds the JSON again for each of 1,500 clients, in one step of the loop (uvloop)
(https://github.com/python-websockets/websockets/issues/653 and others: broadcast is slow).
truth: `broadcast` runs json.dumps of the same 400 quotes 1,500 times: over 150 ms in one step, 4 times; 25
`client` tasks are late by that."""
import asyncio
import json

import uvloop

QUOTES = [{"symbol": f"S{n}", "bid": n * 1.01, "ask": n * 1.02} for n in range(400)]


class Client:
    def __init__(self):
        self.sent = 0

    def send(self, text):
        self.sent += len(text)


def encode(quotes):
    return json.dumps(quotes)


def broadcast(clients):
    for client in clients:
        client.send(encode(QUOTES))


async def publisher(clients):
    for _ in range(4):
        await asyncio.sleep(0.1)
        broadcast(clients)


async def client():
    while True:
        await asyncio.sleep(0.015)


async def main():
    readers = [asyncio.create_task(client()) for _ in range(25)]
    await publisher([Client() for _ in range(1500)])
    for reader in readers:
        reader.cancel()


uvloop.run(main())
