"""The parent waits for a child that waits for the end of its input, which the parent does not close
(after reports of filters that never see the end of their input).
truth: MainThread waits 1.2 s in `Popen.wait` in `sort_lines` in vain, for a child that reads its standard input."""
import subprocess


def sort_lines(lines):
    process = subprocess.Popen(["sort"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write("\n".join(lines))
    process.stdin.flush()
    try:
        process.wait(timeout=1.2)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.communicate()[0]


print(len(sort_lines(["b", "a", "c"])))
