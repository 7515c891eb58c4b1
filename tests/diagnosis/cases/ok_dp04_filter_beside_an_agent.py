"""HEALTHY: an agent process is forked first, then a filter is started, fed and waited for; the agent goes on for a while."""
import multiprocessing
import subprocess
import sys
import time

FILTER = "import sys; sys.stdout.write(str(len(sys.stdin.read())))"


def agent():
    for _ in range(15):
        time.sleep(0.1)


def finish(child):
    child.stdin.close()
    return child.wait()


def main():
    helper = multiprocessing.get_context("fork").Process(target=agent, name="agent")
    helper.start()
    began = time.monotonic()
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-S", "-c", FILTER], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        child.stdin.write(b"line\n" * 1000)
        finish(child)
    print("truth: five filters in %.1f s" % (time.monotonic() - began))
    helper.join()


if __name__ == "__main__":
    main()
