"""The app that uvicorn serves as `main:app`."""

import os
from collections import deque
from html import escape
from typing import Annotated

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

MESSAGE = "Hello from python-fastapi"

app = FastAPI(title="python-fastapi", description="Example app: FastAPI on Shipoff")


class Trip(BaseModel):
    """An outing of one boat."""

    boat: Annotated[str, Field(min_length=1, max_length=40)]
    crew: Annotated[int, Field(ge=1, le=8)]


trips: deque[Trip] = deque(maxlen=100)  # in memory: gone with the instance


@app.get("/", response_class=HTMLResponse)
async def index() -> str:
    greeting = escape(os.environ.get("GREETING", "Welcome"))
    return f"""<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>python-fastapi</title></head>
  <body>
    <h1>{escape(MESSAGE)}</h1>
    <p id="greeting">{greeting}</p>
    <p><a href="/api/trips">Trips</a>, <a href="/docs">documentation</a></p>
  </body>
</html>
"""


@app.get("/api/trips")
async def list_trips() -> list[Trip]:
    return list(trips)


@app.post("/api/trips", status_code=201)
async def add_trip(trip: Trip) -> Trip:
    trips.append(trip)
    return trip


@app.websocket("/ws")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        return
