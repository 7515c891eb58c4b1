"""Healthy: a command that imports a web framework, an ORM and an HTTP client, and does a little with them."""
import asyncio

import aiohttp.web
import fastapi
import httpx
import sqlalchemy
import sqlalchemy.orm
import uvicorn


class Base(sqlalchemy.orm.DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: sqlalchemy.orm.Mapped[int] = sqlalchemy.orm.mapped_column(primary_key=True)


app = fastapi.FastAPI()


@app.get("/")
async def root():
    return {"users": 3}


async def main():
    engine = sqlalchemy.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        for _ in range(10):
            print((await client.get("/")).json())
            await asyncio.sleep(0.01)


asyncio.run(main())
