"""Everything that is started for a run: provider, nginx, peers and the product."""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from .report import DIRECT, NGINX, OURS

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ["AUDIT_LAYER_CACHE"])
RELEASE = Path(os.environ["CARGO_TARGET_DIR"]) / "release"
PROGRAM = Path(os.environ.get("AUDIT_LAYER_PROGRAM", RELEASE / "audit-layer"))
PASSWORD = "bench-admin-password"
START_SECONDS_MAX = 120
# Queries are asked for one after the other, as fast as they are answered.
ASKING = '{ rate = "10000/s", burst = 10000 }'

ANSWER = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "gpt-4o-mini",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The customer asks for a refund. " * 3},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 60, "completion_tokens": 24, "total_tokens": 84},
    }
)


class NotAvailable(Exception):
    """A peer cannot be run here; the message says why."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Service:
    """A running process that takes calls."""

    name: str
    url: str
    process: subprocess.Popen
    headers: dict[str, str] = field(default_factory=dict)
    scratch: Path | None = None

    def pids(self) -> list[int]:
        """The process and its children."""
        found, parents = [self.process.pid], {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                parents.setdefault(int(stat[1]), []).append(int(entry.name))
        for pid in found:
            found.extend(parents.get(pid, []))
        return found

    def memory_mb(self, what: str = "VmHWM") -> float:
        """Peak (VmHWM) or present (VmRSS) resident memory, children included."""
        total = 0
        for pid in self.pids():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            found = re.search(rf"{what}:\s+(\d+) kB", status)
            total += int(found[1]) if found else 0
        return total / 1024

    def stop(self) -> None:
        self.end()
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def end(self) -> None:
        """Ends the process and keeps its files."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def spawn(arguments: list, log: Path, **options) -> subprocess.Popen:
    with log.open("wb") as output:
        return subprocess.Popen(
            [str(argument) for argument in arguments],
            stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options,
        )  # fmt: skip


def wait_for_call(service: Service, log: Path) -> Service:
    """Waits until a call is answered with 200."""
    body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]})
    headers = {"content-type": "application/json"} | service.headers
    deadline = time.monotonic() + START_SECONDS_MAX
    last = ""
    while time.monotonic() < deadline and service.process.poll() is None:
        request = urllib.request.Request(service.url, body.encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
                return service
        except urllib.error.HTTPError as error:
            last = error.read().decode(errors="replace")[:300]
        except OSError as error:
            last = str(error)
        time.sleep(0.2)
    service.stop()
    tail = log.read_text(errors="replace")[-300:] if log.exists() else ""
    raise NotAvailable(f"{service.name} does not answer: {last} {tail}".strip())


def nginx(name: str, server: str, upstream: str = "") -> Service:
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    port, scratch = free_port(), Path(tempfile.mkdtemp())
    paths = "".join(
        f"{kind}_temp_path {scratch}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (scratch / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {scratch}/pid; error_log stderr error;"
        f"events {{ worker_connections 4096; }}"
        f"http {{ access_log off; {paths} keepalive_requests 100000000; tcp_nodelay on; {upstream}"
        f"server {{ listen 127.0.0.1:{port} backlog=4096; {server} }} }}"
    )
    log = scratch / "log.txt"
    process = spawn([binary, "-p", scratch, "-c", scratch / "nginx.conf"], log)
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return wait_for_call(Service(name, url, process, {}, scratch), log)


def provider() -> Service:
    """A provider that answers at once with 400 bytes."""
    quoted = ANSWER.replace("'", "")
    return nginx(
        DIRECT,
        f"location / {{ default_type application/json; return 200 '{quoted}'; }}",
    )


def slow_provider(delay_ms: int, event_ms: int = 0) -> Service:
    """A provider that answers, or starts to stream, after a while."""
    scratch = Path(tempfile.mkdtemp())
    port, log = free_port(), scratch / "log.txt"
    process = spawn(
        [RELEASE / "examples/mock_provider", f"127.0.0.1:{port}", delay_ms, event_ms], log
    )
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return wait_for_call(Service(DIRECT, url, process, {}, scratch), log)


def base(service: Service) -> str:
    return service.url.removesuffix("/v1/chat/completions")


def nginx_proxy(target: Service) -> Service:
    address = base(target).removeprefix("http://")
    return nginx(
        NGINX,
        "location / { proxy_pass http://provider; proxy_http_version 1.1;"
        ' proxy_set_header Connection ""; proxy_buffering off; }',
        f"upstream provider {{ server {address}; keepalive 512; }}",
    )


def litellm(target: Service) -> Service:
    binary = CACHE / "venv-bench/bin/litellm"
    if not binary.exists():
        raise NotAvailable("LiteLLM could not be installed")
    port, scratch, key = free_port(), Path(tempfile.mkdtemp()), f"sk-{secrets.token_hex(16)}"
    model = {
        "model_name": "gpt-4o-mini",
        "litellm_params": {
            "model": "openai/gpt-4o-mini", "api_base": f"{base(target)}/v1", "api_key": "none",
        },
    }  # fmt: skip
    (scratch / "config.yaml").write_text(json.dumps({"model_list": [model]}))
    log = scratch / "log.txt"
    process = spawn(
        [binary, "--config", scratch / "config.yaml", "--host", "127.0.0.1", "--port", port,
         "--num_workers", 1, "--telemetry", "False"],
        log, cwd=scratch, env=os.environ | {"LITELLM_MASTER_KEY": key},
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    headers = {"authorization": f"Bearer {key}"}
    return wait_for_call(Service("LiteLLM proxy", url, process, headers, scratch), log)


def portkey(target: Service) -> Service:
    start = ROOT / "bench/portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    if not start.exists():
        raise NotAvailable("Portkey's gateway could not be installed")
    port, scratch = free_port(), Path(tempfile.mkdtemp())
    log = scratch / "log.txt"
    environment = os.environ | {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost", "NODE_ENV": "production"}
    process = spawn(["node", start, f"--port={port}", "--headless"], log, env=environment)
    headers = {
        "authorization": "Bearer x",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"{base(target)}/v1",
    }
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return wait_for_call(Service("Portkey gateway", url, process, headers, scratch), log)


@dataclass
class Product(Service):
    """Ours, with all it needs to be asked about itself."""

    api: str = ""
    data: Path = Path()
    token: str = ""

    def get(self, path: str):
        request = urllib.request.Request(
            self.api + path, headers={"authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def ingest_key(self) -> str:
        """A key that may report."""
        made = subprocess.run(
            [PROGRAM, "keys", "create", "--source", "bench", "--scope", "ingest", "--data", self.data,
             "--json"],
            check=True, capture_output=True,
        )  # fmt: skip
        return json.loads(made.stdout)["key"]

    def wait_indexed(self) -> float:
        """Seconds until the index has caught up: this asking is recorded, too, so never wholly."""
        start = time.monotonic()
        while self.get("/api/v1/audit/logs?limit=1")["index_lag_ms"] > 1000:
            if time.monotonic() - start > 1800:
                raise TimeoutError("the index does not catch up")
            time.sleep(0.1)
        return time.monotonic() - start


def product(target: Service, policies: Path | None = None) -> Product:
    """Ours; without policies unless a folder of them is given."""
    scratch = Path(tempfile.mkdtemp())
    configuration = scratch / "audit-layer.toml"
    chosen = f"directory = {json.dumps(str(policies))}" if policies else "enabled = false"
    configuration.write_text(f"[policies]\n{chosen}\n[api]\nuser_limits = {ASKING}\n")
    data, log = scratch / "data", scratch / "log.txt"
    gateway, api = free_port(), free_port()
    process = spawn(
        [PROGRAM, "serve", "--config", configuration, "--data", data, "--upstream", base(target),
         "--gateway-listen", f"127.0.0.1:{gateway}", "--api-listen", f"127.0.0.1:{api}"],
        log, env=os.environ | {"AUDIT_LAYER_ADMIN_PASSWORD": PASSWORD},
    )  # fmt: skip
    api_url = f"http://127.0.0.1:{api}"
    ours = Product(
        OURS, f"http://127.0.0.1:{gateway}/v1/chat/completions", process, {}, scratch,
        api=api_url, data=data,
    )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            urllib.request.urlopen(f"{api_url}/readyz", timeout=5).close()
            break
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(log.read_text(errors="replace")[-2000:]) from None
            time.sleep(0.1)
    made = subprocess.run(
        [PROGRAM, "keys", "create", "--source", "bench", "--data", data, "--json"],
        check=True, capture_output=True,
    )  # fmt: skip
    ours.headers = {
        "x-api-key": json.loads(made.stdout)["key"],
        "x-llm-source": "bench", "x-llm-user": "u-bench", "x-llm-request-type": "bench",
    }  # fmt: skip
    body = json.dumps({"username": "admin", "password": PASSWORD}).encode()
    request = urllib.request.Request(
        f"{api_url}/api/v1/auth/login", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        ours.token = json.load(answer)["access_token"]
    wait_for_call(ours, log)
    return ours
