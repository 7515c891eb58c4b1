"""The first request loads the model, which takes 0.6 s; the others wait for that once."""
import asyncio


class Model:
    loading = None

    async def get(self):
        if self.loading is None:
            self.loading = asyncio.get_running_loop().create_future()
            await asyncio.sleep(0.6)
            self.loading.set_result("model")
        return await asyncio.shield(self.loading)


async def request(model, n):
    await asyncio.sleep(n * 0.05)
    await model.get()
    await asyncio.sleep(0.02)


async def main():
    model = Model()
    await asyncio.gather(*(request(model, n) for n in range(30)))


asyncio.run(main())
