"""Each event starts a child that nobody ever waits for.
truth: `notify` starts a child process for each event and never waits for it; 40 children that sleep pile up
(zombies and sleepers)."""
import subprocess
import sys
import time

children = []


def notify(event):
    children.append(
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1.5)"], stdout=subprocess.DEVNULL)
    )


def handle(event):
    sum(range(20_000))
    if event % 2 == 0:
        notify(event)


for event in range(60):
    handle(event)
    time.sleep(0.03)
print(len(children))
