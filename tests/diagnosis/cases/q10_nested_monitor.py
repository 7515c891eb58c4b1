"""A thread waits in a condition while it keeps the outer lock that the notifier needs
(after reports of nested monitors).
truth: `borrower` has `Library._lock` and waits 1.2 s in `take`; `returner` waits for that lock in `give_back`."""
import threading
import time


class Shelf:
    def __init__(self):
        self.changed = threading.Condition()
        self.books = []

    def take(self):
        with self.changed:
            if self.changed.wait_for(lambda: self.books, timeout=1.2):
                return self.books.pop()
        return None

    def put(self, book):
        with self.changed:
            self.books.append(book)
            self.changed.notify()


class Library:
    def __init__(self):
        self._lock = threading.Lock()
        self.shelf = Shelf()

    def borrow(self):
        with self._lock:
            return self.shelf.take()

    def give_back(self, book):
        with self._lock:
            self.shelf.put(book)


library = Library()
borrower = threading.Thread(target=library.borrow, name="borrower")
borrower.start()
time.sleep(0.1)
returner = threading.Thread(target=library.give_back, args=("emma",), name="returner")
returner.start()
borrower.join()
returner.join()
