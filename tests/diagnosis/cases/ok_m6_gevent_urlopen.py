"""CLEAN: a pool of 10 greenlets fetches 60 pages by urllib, which loads the certificates once."""
from gevent import monkey; monkey.patch_all()
import gevent, urllib.request
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
def app(env, start): gevent.sleep(0.02); start("200 OK", []); return [b"x" * 1000]
srv = WSGIServer(("127.0.0.1", 0), app, log=None); srv.start()
def fetch(i): return len(urllib.request.urlopen(f"http://127.0.0.1:{srv.server_port}/{i}").read())
print(sum(Pool(10).map(fetch, range(60)))); srv.stop()
