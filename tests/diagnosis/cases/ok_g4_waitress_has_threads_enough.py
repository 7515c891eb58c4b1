"""HEALTHY: waitress with 6 threads, 5 clients without a pause, 60 ms for each request."""
import http.client, threading, time
from flask import Flask
from waitress.server import create_server
app = Flask(__name__)
@app.get("/")
def index(): time.sleep(0.06); return "ok"
srv = create_server(app, host="127.0.0.1", port=18789, threads=6)
threading.Thread(target=srv.run, daemon=True, name="waitress-main").start()
def client():
    c = http.client.HTTPConnection("127.0.0.1", 18789)
    for _ in range(40): c.request("GET", "/"); c.getresponse().read()
ts = [threading.Thread(target=client, name=f"c-{i}") for i in range(5)]
[t.start() for t in ts]; [t.join() for t in ts]
