"""A loguru sink that sends each error to a chat keeps the handler's lock meanwhile
(https://github.com/Delgan/loguru/issues/837 and 1118: all who log wait for the sink).
truth: `post_to_chat` sleeps 40 ms with loguru's handler lock; 6 workers log 8 times each and queue for it."""
import sys
import threading
import time

from loguru import logger


def post_to_chat(message):
    time.sleep(0.04)


def work(n):
    for step in range(8):
        time.sleep(0.005)
        logger.error("job {} step {}", n, step)


logger.remove()
logger.add(sys.stderr, level="CRITICAL")
logger.add(post_to_chat, level="ERROR")
threads = [threading.Thread(target=work, args=(n,), name=f"job-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
