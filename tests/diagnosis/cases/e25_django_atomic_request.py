"""A view asks another service inside a transaction; other views wait for the database
(https://code.djangoproject.com/ticket/29280).
truth: `save_vote` waits up to 0.8 s in execute while `import_votes` keeps its transaction open."""
import os
import tempfile
import threading
import time

import django
from django.conf import settings

folder = tempfile.TemporaryDirectory()
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(folder.name, "votes.db"),
        }
    }
)
django.setup()
from django.db import connection, transaction


def import_votes(began):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("insert into vote values (1)")
            began.set()
            time.sleep(0.8)  # a call to another service
    connection.close()


def save_vote():
    with connection.cursor() as cursor:
        cursor.execute("insert into vote values (2)")
    connection.close()


with connection.cursor() as cursor:
    cursor.execute("create table vote(n int)")
began = threading.Event()
importer = threading.Thread(target=import_votes, args=(began,), name="importer")
importer.start()
began.wait()
threads = [threading.Thread(target=save_vote, name=f"request-{n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in (importer, *threads):
    thread.join()
folder.cleanup()
