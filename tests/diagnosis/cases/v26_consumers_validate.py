"""Five threads decode, validate and encode messages (jsonschema).
truth: `consumer-N` share the GIL, in `handle`."""
import json
import queue
import threading
import time

import jsonschema

SCHEMA = {"type": "object", "required": ["id", "lines"], "properties": {"id": {"type": "integer"}, "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}, "n": {"type": "integer", "minimum": 1}}}}}}
BODY = json.dumps({"id": 7, "lines": [{"sku": f"s{n}", "n": n + 1} for n in range(30)]})
MESSAGES, OUT = queue.Queue(100), []


def handle(body):
    order = json.loads(body)
    jsonschema.Draft7Validator(SCHEMA).validate(order)
    return json.dumps(order)


def consumer():
    while (body := MESSAGES.get()) is not None:
        OUT.append(len(handle(body)))


def metrics(stop, late):
    while not stop.is_set():
        began = time.monotonic()
        stop.wait(0.05)
        late.append(time.monotonic() - began)


def main():
    stop, late = threading.Event(), []
    threads = [threading.Thread(target=consumer, name=f"consumer-{n}") for n in range(5)]
    watcher = threading.Thread(target=metrics, args=(stop, late), name="metrics")
    for thread in (*threads, watcher):
        thread.start()
    for _ in range(1500):
        MESSAGES.put(BODY)
    for _ in threads:
        MESSAGES.put(None)
    for thread in threads:
        thread.join()
    stop.set()
    watcher.join()


main()
