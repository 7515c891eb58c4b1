"""A module fetches its settings over the network when it is imported
(https://github.com/dataforseo/PythonClient/issues/6 and many "import takes seconds, it calls the metadata server").
truth: `app_settings` waits 0.8 s in recv at import (SETTINGS = fetch()), for a server that is slow; the rest takes
0.3 s."""
import os
import socket
import sys
import tempfile
import threading
import time

listener = socket.create_server(("127.0.0.1", 0))
folder = tempfile.mkdtemp()
with open(os.path.join(folder, "app_settings.py"), "w") as file:
    file.write(
        "import os, socket\n\n\ndef fetch():\n"
        "    with socket.create_connection(('127.0.0.1', int(os.environ['SETTINGS_PORT']))) as peer:\n"
        "        peer.sendall(b'get')\n        return peer.recv(100)\n\n\nSETTINGS = fetch()\n"
    )
sys.path.insert(0, folder)
os.environ["SETTINGS_PORT"] = str(listener.getsockname()[1])


def serve():
    peer, _ = listener.accept()
    peer.recv(10)
    time.sleep(0.8)
    peer.sendall(b"debug=0")
    peer.close()


threading.Thread(target=serve, name="settings-server", daemon=True).start()


def command():
    import app_settings

    time.sleep(0.2)
    return app_settings.SETTINGS


print(command())
