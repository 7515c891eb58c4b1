"""FastAPI on uvicorn and uvloop: an endpoint that blocks the loop, a sync one, a quick one."""

import sys
import time

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/quick")
async def quick(n: int) -> dict[str, int]:
    return {"n": n}


@app.get("/sync")
def in_a_thread(n: int) -> dict[str, int]:
    time.sleep(0.002)
    return {"n": n}


@app.get("/blocking")
async def blocking(n: int) -> dict[str, int]:
    time.sleep(0.04)  #: blocks
    return {"n": n}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
