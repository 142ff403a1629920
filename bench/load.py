"""Load: closed loop by wrk, open loop by our own generator; and the disk's own figure."""

import json
import os
import re
import secrets
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from .services import RELEASE, Service

BODY = {
    "model": "gpt-4o-mini",
    "messages": [
        {
            "role": "user",
            "content": "Summarise this complaint: I was charged the card fee twice in October and "
            "nobody answered my two letters. I would like the money back and an explanation.",
        }
    ],
}
# Reports of one delivery.
BATCH = 100
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


def wrk(service: Service, connections: int, seconds: float) -> dict:
    """Closed loop: so many connections, each sends when it has its answer."""
    script = f"wrk.body = {json.dumps(json.dumps(BODY))}\n"
    return run_wrk(service.url, service.headers, script, connections, seconds)


def deliver(url: str, key: str, item: dict, connections: int, seconds: float) -> dict:
    """Closed loop: batches of 100 reports, each with an id that was never used."""
    batch = [item | {"id": f"@@-{number}"} for number in range(BATCH)]
    run = secrets.token_hex(6)
    script = (
        f"local batch = {json.dumps(json.dumps(batch))}\nlocal count = 0\n"
        "request = function()\n"
        f'  count = count + 1\n  local id = "{run}-" .. count\n'
        '  return wrk.format(nil, nil, nil, (string.gsub(batch, "@@", id)))\n'
        "end\n"
    )
    headers = {"authorization": f"Bearer {key}"}
    done = run_wrk(url, headers, script, connections, seconds)
    return done | {"per_second": done["rps"] * BATCH}


def run_wrk(url: str, headers: dict, body: str, connections: int, seconds: float) -> dict:
    headers = {"content-type": "application/json"} | headers
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write('wrk.method = "POST"\n')
        for name, value in headers.items():
            script.write(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n")
        script.write(body)
        script.flush()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s", "--latency",
             "-s", script.name, url],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    text = done.stdout

    def latency(share: str) -> float | None:
        found = re.search(rf"^\s+{share}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
        return float(found[1]) * UNITS_MS[found[2]] if found else None

    requests = int(re.search(r"(\d+) requests in", text)[1])
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = int(errors[1]) if errors else 0
    failed += sum(map(int, sockets.groups())) if sockets else 0
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    return {
        "rps": rate * (1 - failed / requests) if requests else 0.0,
        "requests": requests, "failed": failed, "p50_ms": latency("50"), "p99_ms": latency("99"),
    }  # fmt: skip


def open_loop(
    service: Service, rate: int, seconds: float, stream: bool = False, prompt: int = 0, user: str = ""
) -> dict:
    """Open loop: so many requests a second, whatever the answers do."""
    arguments = [RELEASE / "examples/open_loop", service.url, rate, seconds]
    arguments += ["stream"] if stream else []
    arguments += [f"prompt={prompt}"] if prompt else []
    headers = service.headers | ({"x-llm-user": user} if user else {})
    arguments += [f"{name}:{value}" for name, value in headers.items()]
    done = subprocess.run(
        [str(argument) for argument in arguments], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def disk_alone(directory: Path, rate: int, seconds: float) -> dict:
    """What the disk takes for two records a call at this rate, with no server at all."""
    done = subprocess.run(
        [str(RELEASE / "examples/disk_alone"), str(directory), str(rate), str(seconds)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def fdatasync_ms(directory: Path, times: int = 300) -> float:
    """Median time of writing and syncing 4 KiB over blocks that are already there."""
    path = directory / "fdatasync.bin"
    block = os.urandom(4096)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        os.pwrite(descriptor, bytes(4096 * times), 0)
        os.fsync(descriptor)
        took = []
        for number in range(times):
            start = time.perf_counter()
            os.pwrite(descriptor, block, 4096 * number)
            os.fdatasync(descriptor)
            took.append((time.perf_counter() - start) * 1000)
        return statistics.median(took)
    finally:
        os.close(descriptor)
        path.unlink()
