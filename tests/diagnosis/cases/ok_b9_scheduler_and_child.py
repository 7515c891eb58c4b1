"""HEALTHY: apscheduler runs three jobs in its pool, one sends by http.client to a child server; a status thread."""
import http.client
import subprocess
import sys
import threading
import time

from apscheduler.schedulers.background import BackgroundScheduler

SERVER = "import http.server as h; s = h.ThreadingHTTPServer(('127.0.0.1', 0), h.BaseHTTPRequestHandler); print(s.server_port, flush=True); s.serve_forever()"
LOG = []


def send(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/")
    LOG.append(connection.getresponse().status)
    connection.close()


def cleanup():
    LOG[:] = LOG[-100:]


def report():
    LOG.append(sum(n % 11 for n in range(20000)))


def main():
    child = subprocess.Popen([sys.executable, "-S", "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    port = int(child.stdout.readline())
    scheduler = BackgroundScheduler()
    scheduler.add_job(send, "interval", seconds=0.1, args=[port])
    scheduler.add_job(cleanup, "interval", seconds=0.3)
    scheduler.add_job(report, "interval", seconds=0.2)
    scheduler.start()
    stop = threading.Event()
    status = threading.Thread(target=lambda: [stop.wait(0.1) for _ in range(20)], name="status")
    status.start()
    time.sleep(2)
    scheduler.shutdown()
    status.join()
    child.terminate()
    child.wait()


main()
