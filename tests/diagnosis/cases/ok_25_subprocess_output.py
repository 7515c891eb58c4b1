"""CLEAN: a child takes 0.8 s and writes a megabyte, which is read as it comes."""
import subprocess
import sys

code = "import time; time.sleep(0.8); print('x' * 1000000)"
done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, check=True)
print(len(done.stdout))
