"""A sign-up sends its mail with smtplib, in a coroutine
(after reports of `smtplib` in handlers of asyncio).
truth: `send_welcome` blocks the loop about 120 ms per mail in recv; 8 sign-ups wait for each other."""
import asyncio
import smtplib
import socket
import threading
import time

mail_server = socket.create_server(("127.0.0.1", 0))


def serve(connection):
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b"220 ready\r\n")
        in_data = False
        for line in lines:
            if in_data:
                if line == b".\r\n":
                    in_data = False
                    connection.sendall(b"250 queued\r\n")
                continue
            time.sleep(0.025)
            word = line[:4].upper()
            in_data = word == b"DATA"
            connection.sendall(b"354 go\r\n" if in_data else b"250 ok\r\n")


def accept():
    while True:
        connection, _ = mail_server.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


async def send_welcome(address):
    with smtplib.SMTP(*mail_server.getsockname()) as smtp:
        smtp.sendmail("shop@example.com", [address], "Subject: welcome\r\n\r\nhello")


async def sign_up(number):
    await asyncio.sleep(0.01)
    await send_welcome(f"user{number}@example.com")
    await asyncio.sleep(0.01)


async def main():
    threading.Thread(target=accept, name="smtp", daemon=True).start()
    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(sign_up(number))


asyncio.run(main())
