"""Greenlets wait for results of others that failed before they set them
(https://github.com/gevent/gevent/issues/1479).
truth: each `lookup` waits 1.2 s for an AsyncResult that its `resolver` never sets, since it fails."""
import gevent
from gevent.event import AsyncResult
def resolver(result):
    gevent.sleep(0.05); {}["host"]; result.set(1)
def lookup(i):
    r = AsyncResult(); gevent.spawn(resolver, r)
    try: return r.get(timeout=1.2)
    except gevent.Timeout: print("truth time-out", i)
gevent.joinall([gevent.spawn(lookup, i) for i in range(4)])
