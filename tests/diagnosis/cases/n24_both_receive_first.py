"""Parent and child both wait for a message first.
After https://github.com/jonatanjacobsson/ifcpipeline/pull/28 and reports like it.

truth: `MainThread` waits in `ask`, the child in `serve`; nobody sends, for 1.4 s."""
import multiprocessing as mp
def serve(conn):
    if conn.poll(1.4): conn.send(conn.recv())
def ask(conn):
    if conn.poll(1.5): return conn.recv()
if __name__ == "__main__":
    c = mp.get_context("fork"); a, b = c.Pipe()
    p = c.Process(target=serve, args=(b,), name="server"); p.start()
    print(ask(a)); p.join()
