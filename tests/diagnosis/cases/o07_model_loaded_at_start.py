"""The application loads its model when it starts; nobody is answered before that is over, and
the probes give up (https://github.com/fastapi/fastapi/issues/3321).
truth: `load_model`, called by `lifespan`, computes for a second or more; then all is well."""
import contextlib
import threading
import time

import uvicorn
from starlette.applications import Starlette


def load_model():
    weights = 7
    for n in range(12_000_000):
        weights = (weights * 31 + n) % 1_000_003
    return weights


@contextlib.asynccontextmanager
async def lifespan(application):
    application.state.model = load_model()
    yield


def stop():
    while not server.started:
        time.sleep(0.05)
    time.sleep(0.3)
    server.should_exit = True


server = uvicorn.Server(uvicorn.Config(Starlette(lifespan=lifespan), port=0, log_level="error"))
threading.Thread(target=stop, daemon=True).start()
server.run()
