"""A coroutine reads relations of a synchronous ORM one by one
(https://github.com/fastapi/fastapi/pull/888).
truth: `list_orders` blocks the loop some 100 ms for each call with 150 queries; `ping` is late."""
import asyncio

from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship()


engine = create_engine("sqlite://", poolclass=StaticPool)
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add_all(Customer(id=n) for n in range(150))
    session.add_all(Order(id=n, customer_id=n) for n in range(150))
    session.commit()


async def list_orders():
    with Session(engine) as session:
        return [order.customer.id for order in session.query(Order)]


async def ping():
    for _ in range(30):
        await asyncio.sleep(0.01)


async def main():
    await asyncio.gather(*(list_orders() for _ in range(5)), *(ping() for _ in range(6)))


asyncio.run(main())
