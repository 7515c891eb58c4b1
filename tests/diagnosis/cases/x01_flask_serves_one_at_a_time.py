"""Flask's server without threads: /health waits behind /report
(https://stackoverflow.com/questions/14814201).
truth: `http` serves one request at a time, 0.25 s asleep in `report`; 5 clients wait their turn."""
import http.client, logging, threading, time
from flask import Flask
from werkzeug.serving import make_server
logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = Flask(__name__)
@app.get("/report")
def report(): time.sleep(0.25); return "report"
@app.get("/health")
def health(): return "ok"
srv = make_server("127.0.0.1", 18781, app, threaded=False)
threading.Thread(target=srv.serve_forever, name="http", daemon=True).start()
def client(path, n):
    for _ in range(n):
        c = http.client.HTTPConnection("127.0.0.1", 18781); c.request("GET", path); c.getresponse().read(); c.close()
        time.sleep(0.03)
ts = [threading.Thread(target=client, args=("/report", 5), name=f"boss-{i}") for i in range(2)]
ts += [threading.Thread(target=client, args=("/health", 8), name=f"probe-{i}") for i in range(3)]
[t.start() for t in ts]; [t.join() for t in ts]
srv.shutdown()
