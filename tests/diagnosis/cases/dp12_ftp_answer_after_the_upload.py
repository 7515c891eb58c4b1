"""storbinary has sent the whole file and waits for the server's last answer, which does not come
(https://github.com/python/cpython/issues/103443).
truth: `upload` waits 1.5 s in `FTP.voidresp` (readline of the control connection) after each byte was sent; the time-out ends it.
wanted: `backup` waited 1.5 s in FTP.storbinary in `upload`, in recv, for an answer of 127.0.0.1 that never came."""
import ftplib
import io
import subprocess
import sys
import threading
import time

SERVER = """
import socket, time
control = socket.create_server(("127.0.0.1", 0))
print(control.getsockname()[1], flush=True)
peer = control.accept()[0]
lines = peer.makefile("rb")
peer.sendall(b"220 ready\\r\\n")
data = socket.create_server(("127.0.0.1", 0))
for line in lines:
    word = line.split()[0].upper()
    if word in (b"PASV",):
        port = data.getsockname()[1]
        peer.sendall(b"227 passive (127,0,0,1,%d,%d)\\r\\n" % (port // 256, port % 256))
    elif word == b"EPSV":
        peer.sendall(b"229 passive (|||%d|)\\r\\n" % data.getsockname()[1])
    elif word == b"STOR":
        peer.sendall(b"150 go\\r\\n")
        stream = data.accept()[0]
        while stream.recv(65536):
            pass
        time.sleep(5)
    else:
        peer.sendall(b"200 fine\\r\\n")
"""


def upload(port, content):
    ftp = ftplib.FTP(timeout=1.5)
    ftp.connect("127.0.0.1", port)
    ftp.login("backup", "secret")
    began = time.monotonic()
    try:
        ftp.storbinary("STOR dump.sql", io.BytesIO(content))
    except TimeoutError:
        print("truth: no answer for %.1f s after the upload" % (time.monotonic() - began))
    ftp.close()


child = subprocess.Popen([sys.executable, "-S", "-c", SERVER], stdout=subprocess.PIPE, text=True)
port = int(child.stdout.readline())
backup = threading.Thread(target=upload, args=(port, b"row\n" * 500_000), name="backup")
backup.start()
backup.join()
child.kill()
child.wait()
