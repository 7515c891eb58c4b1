"""HEALTHY: a helper process serves for a while and is then ended by SIGTERM."""
import subprocess
import sys
import time

helper = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"])
for _ in range(8):
    time.sleep(0.1)
helper.terminate()
helper.wait()
