"""Two actors ask each other and wait for the answer, so neither serves its inbox
(after https://github.com/kquick/Thespian/issues/80).
truth: the actor `orders` waits in `ask` for an answer of `stock`, which waits in `ask` for an answer of
`orders`: each thread serves its own inbox only. Time-outs of 1.5 s."""
import queue
import threading
import time


class Actor(threading.Thread):
    def __init__(self, name):
        super().__init__(name=name, daemon=True)
        self.inbox = queue.Queue()

    def ask(self, message, timeout=1.5):
        reply = queue.Queue(1)
        self.inbox.put((message, reply))
        return reply.get(timeout=timeout)

    def run(self):
        while True:
            message, reply = self.inbox.get()
            if message is None:
                return
            try:
                reply.put(self.receive(message))
            except queue.Empty:
                print(self.name, "got no answer to", message)
                reply.put(None)


class Orders(Actor):
    def receive(self, message):
        if message == "place":
            time.sleep(0.02)
            return self.stock.ask("reserve")
        return {"open": 3}


class Stock(Actor):
    def receive(self, message):
        if message == "reserve":
            return 1
        time.sleep(0.02)
        return self.orders.ask("open orders")


def client(actor, message, n):
    for _ in range(n):
        try:
            actor.ask(message, 3)
        except queue.Empty:
            print("client gave up")
        time.sleep(0.05)


orders, stock = Orders("orders"), Stock("stock")
orders.stock, stock.orders = stock, orders
orders.start()
stock.start()
clients = [
    threading.Thread(target=client, args=(orders, "place", 6), name="shop"),
    threading.Thread(target=client, args=(stock, "count", 6), name="backoffice"),
]
for c in clients:
    c.start()
    time.sleep(0.01)
time.sleep(3.2)
