"""`multiprocessing.connection.Listener.accept` does the handshake of the key itself: a client that connects and says
nothing keeps all others out (https://github.com/Princeton-Robot-Planning-and-Learning/prpl-tidybot/issues/89).
truth: `publisher` stands 1.2 s in `accept` in `serve`, in the handshake (`answer_challenge`/`deliver_challenge`) with a
silent client; `robot` waits behind it in `connect_robot`."""
import socket, threading, time
from multiprocessing.connection import Client, Listener

listener = Listener(("127.0.0.1", 0), authkey=b"k")


def serve():
    for _ in range(2):
        try:
            with listener.accept() as connection:
                connection.send("pose")
        except (EOFError, OSError):
            pass


def connect_robot():
    began = time.monotonic()
    with Client(listener.address, authkey=b"k") as connection:
        connection.recv()
    print("truth: robot waited", time.monotonic() - began)


server = threading.Thread(target=serve, name="publisher")
server.start()
probe = socket.create_connection(listener.address)
time.sleep(0.1)
robot = threading.Thread(target=connect_robot, name="robot")
robot.start()
time.sleep(1.2)
probe.close()
robot.join()
server.join()
