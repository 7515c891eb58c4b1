"""The program joins a consumer that nobody tells to stop
(https://github.com/exo-explore/exo/pull/1511).
truth: `close` waits 1.2 s in Thread.join for `uploader`, which waits in Queue.get for ever."""
import queue
import threading


class Uploader:
    def __init__(self):
        self.items = queue.Queue()
        self.thread = threading.Thread(target=self._consume, name="uploader", daemon=True)
        self.thread.start()

    def _consume(self):
        while True:
            self._upload(self.items.get())

    def _upload(self, item):
        pass

    def close(self):
        self.thread.join(1.2)


uploader = Uploader()
for number in range(20):
    uploader.items.put(number)
uploader.close()
