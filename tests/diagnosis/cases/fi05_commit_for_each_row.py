"""SQLAlchemy's async session with a commit for each row ("bulk insert is slow with AsyncSession").

Truth: 1,500 rows, each added and committed by itself (aiosqlite, a file): each commit is a hop to
the connection's thread (and a write of the journal, which is left to the kernel here).
"""

import asyncio
import os
import tempfile
import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Tick(Base):
    __tablename__ = "tick"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[float]


async def import_rows(session, rows):
    for price in rows:
        session.add(Tick(price=price))
        await session.commit()


async def main():
    with tempfile.TemporaryDirectory() as folder:
        engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/ticks.db")
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        begun = time.perf_counter()
        async with AsyncSession(engine) as session:
            await session.execute(text("pragma synchronous = off"))
            await session.commit()
            await import_rows(session, [n / 7 for n in range(1500)])
        print(f"truth: {time.perf_counter() - begun:.2f} s for 1,500 rows")
        await engine.dispose()


asyncio.run(main())
