"""Two event loops in two threads, both busy with parsing and rendering.
truth: `api` and `feed` share the GIL, in `render` and `parse_feed`."""
import asyncio
import html.parser
import threading
import time

PAGE = "<html>" + "".join(f"<p class='c{n}'>text <b>{n}</b></p>" for n in range(700)) + "</html>"


class Counter(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = {}

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + len(attrs)


def parse_feed():
    counter = Counter()
    counter.feed(PAGE)
    return counter.tags


def render():
    return "".join(f"<li>{n}: {n * n % 17:>5}</li>" for n in range(9000))


async def busy(work, until):
    while time.monotonic() < until:
        work()
        await asyncio.sleep(0.001)


def run(work, until):
    asyncio.run(busy(work, until))


def main():
    until = time.monotonic() + 2.5
    threads = [threading.Thread(target=run, args=(parse_feed, until), name="feed"), threading.Thread(target=run, args=(render, until), name="api")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
