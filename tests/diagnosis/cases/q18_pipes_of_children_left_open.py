"""The pipes of children are never closed, and their objects are kept
(after reports of `Too many open files` in monitoring tools).
truth: `probe` leaves 2 pipes open for each of 40 children: 80 descriptors more at the end."""
import subprocess

history = []


def probe(number):
    process = subprocess.Popen(["sleep", "0.02"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.wait()
    history.append(process)


for number in range(40):
    probe(number)
