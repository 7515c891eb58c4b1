"""SQLAlchemy's pool of two under gevent (https://github.com/jneight/django-db-
geventpool/issues/77).
truth: SQLAlchemy QueuePool(2) under gevent; `report` keeps a connection 100 ms asleep; 10
greenlets. pool exhausted 2 connections report."""
from gevent import monkey; monkey.patch_all()
import gevent, time, sqlalchemy as sa
e = sa.create_engine("sqlite:///n28.db", poolclass=sa.pool.QueuePool, pool_size=2, max_overflow=0, connect_args={"check_same_thread": False})


def report(i):
    with e.connect() as c:
        c.execute(sa.text("select 1")); time.sleep(0.1)


gevent.joinall([gevent.spawn(report, i) for i in range(12)])
