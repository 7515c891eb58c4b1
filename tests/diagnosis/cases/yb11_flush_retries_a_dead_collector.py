"""Each call flushes its spans to a collector that is not there, and waits for the client's pauses between its tries (strands-agents/harness-sdk#2138; here with the retries of urllib3). Needs requests.
truth: main pauses ~1.2 s below `flush`, called in `invoke`, in urllib3's back-off; each connect is refused; the answer itself takes 50 ms."""
import json
import time

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

session = requests.Session()
session.mount("http://", HTTPAdapter(max_retries=Retry(connect=3, backoff_factor=0.2)))
spans = []


def flush():
    try:
        session.post("http://127.0.0.1:9/v1/traces", data=json.dumps(spans))
    except requests.ConnectionError:
        print("not sent")


def answer(question):
    time.sleep(0.05)
    return question[::-1]


def invoke(question):
    start = time.perf_counter()
    spans.append({"name": "invoke", "said": answer(question)})
    flush()
    print(f"truth invoke {(time.perf_counter() - start) * 1e3:.0f} ms")


invoke("hello")
