"""CLEAN: large input and output of a child through `communicate`, and a few quick children."""
import subprocess
import sys

CHILD = "import sys\nfor line in sys.stdin:\n    sys.stdout.write(line)\n"
data = b"some text\n" * 100_000
child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
assert child.communicate(data)[0] == data
for _ in range(3):
    subprocess.run(["true"], check=True)
