"""Each request starts an executor for its background work with the ORM; its thread stays, and so does the
thread's connection to the database (after https://django.fun/qa/440275).
truth: each `upload` makes a ThreadPoolExecutor of 1 that nobody shuts down: 60 threads and 60 connections at the end."""
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlparse

from django.conf import settings

url = urlparse(os.environ["PG_URL"])
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres",
                           "HOST": url.hostname, "PORT": url.port}},
    INSTALLED_APPS=[],
)
import django  # noqa: E402

django.setup()
from django.db import connection  # noqa: E402

kept = []


def save_result(n):
    with connection.cursor() as cursor:
        cursor.execute("select %s", [n])
    time.sleep(0.01)


def upload(n):
    pool = ThreadPoolExecutor(1)
    kept.append(pool)
    pool.submit(save_result, n)
    return "accepted"


def main():
    for n in range(60):
        upload(n)
        time.sleep(0.04)
    print("truth threads", threading.active_count())


main()
