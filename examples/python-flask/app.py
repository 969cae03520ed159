"""The app that gunicorn serves as `app:app`."""

import os

from flask import Flask, render_template, request

MESSAGE = "Hello from python-flask"

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return render_template("index.html", message=MESSAGE, greeting=os.environ.get("GREETING", "Welcome"))


@app.get("/api/temperature")
def temperature() -> tuple[dict[str, object], int]:
    raw = request.args.get("celsius", "")
    try:
        celsius = float(raw)
    except ValueError:
        return {"error": f"celsius must be a number, not {raw!r}"}, 400
    return {"celsius": celsius, "fahrenheit": celsius * 9 / 5 + 32, "kelvin": celsius + 273.15}, 200
