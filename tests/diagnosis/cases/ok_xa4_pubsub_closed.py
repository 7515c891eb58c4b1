"""A pub/sub for each visitor, closed again: its connection goes back to the pool."""
import asyncio
import os

import redis.asyncio as redis

pool = redis.BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=4, timeout=0.8)
client = redis.Redis(connection_pool=pool)


class Rooms:
    def __init__(self, client): self.client, self.members = client, {}
    async def join(self, room, user):
        pubsub = self.client.pubsub()
        await pubsub.subscribe(f"room:{room}")
        self.members.setdefault(room, []).append((user, None))
        message = await pubsub.get_message(timeout=0.1)
        await pubsub.aclose()
        return message
    def leave(self, room, user):
        self.members[room] = [m for m in self.members[room] if m[0] != user]


class Profiles:
    def __init__(self, client): self.client = client
    async def load(self, user):
        return await self.client.get(f"user:{user}")


class Session:
    def __init__(self, rooms, profiles): self.rooms, self.profiles = rooms, profiles
    async def visit(self, user):
        await self.rooms.join("lobby", user)
        await asyncio.sleep(0.05)
        await self.show(user)
    async def show(self, user):
        try:
            await self.profiles.load(user)
        except redis.ConnectionError as e:
            print("profile", user, e)


async def main():
    session = Session(Rooms(client), Profiles(client))
    keep = []
    for i in range(4):
        keep.append(asyncio.create_task(session.visit(f"u{i}"), name=f"visit-{i}"))
        await asyncio.sleep(0.1)
    for i in range(6):
        keep.append(asyncio.create_task(session.show(f"u{i}"), name=f"show-{i}"))
        await asyncio.sleep(0.1)
    await asyncio.gather(*keep)
    await pool.disconnect()


asyncio.run(main())
