"""A queue of gevent as a pool of two clients (https://github.com/jneight/django-db-
geventpool/issues/77).
truth: gevent.queue.Queue as a pool of 2 clients; `sync_account` keeps one 100 ms asleep in
`fetch`; 10 greenlets. pool exhausted."""
from gevent import monkey; monkey.patch_all()
import gevent, time
from gevent.queue import Queue

pool = Queue()
for i in range(2): pool.put(object())


def fetch(account): time.sleep(0.1)


def sync_account(account):
    client = pool.get()
    try: fetch(account)
    finally: pool.put(client)


gevent.joinall([gevent.spawn(sync_account, i) for i in range(12)])
