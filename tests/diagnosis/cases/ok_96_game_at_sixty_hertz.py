"""Healthy: a game server steps its world 60 times a second with call_later, 12 players send moves."""
import asyncio
import math


class World:
    def __init__(self, loop):
        self.loop, self.tick, self.players = loop, 0, {}

    def step(self):
        self.tick += 1
        for name, (x, y) in self.players.items():
            for _ in range(40):
                x, y = x + math.cos(y) / 60, y + math.sin(x) / 60
            self.players[name] = (x, y)
        if self.tick < 100:
            self.loop.call_later(1 / 60, self.step)


async def player(world, name):
    for n in range(50):
        world.players[name] = (n / 10, len(name))
        await asyncio.sleep(0.03)


async def main():
    world = World(asyncio.get_running_loop())
    world.step()
    await asyncio.gather(*(player(world, f"player-{n}") for n in range(12)))


asyncio.run(main())
