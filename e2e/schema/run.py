"""Schemathesis against the running product: its OpenAPI document, as everybody who can call.

Usage: run.py RESULTS_DIRECTORY, with E2E_API, E2E_ADMIN_PASSWORD and E2E_READ_KEY in the
environment. Each caller's report goes to schema-CALLER.xml. No answer may be a 5xx that says that
something failed, have an undocumented status or media type, or not have the documented shape.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

API = os.environ["E2E_API"]
PASSWORD = os.environ["E2E_ADMIN_PASSWORD"]
SECONDS = 15
EXAMPLES = 6
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]
# They go on for ever; crates/api/tests/feed.rs reads them.
STREAMS = ["/ws/feed", "/api/v1/feed"]
# They end the session that asks.
SIGN_OUT = ["/api/v1/auth/logout", "/api/v1/auth/logout-all", "/api/v1/auth/password"]


def post(path: str, body: dict[str, object], token: str | None = None) -> dict[str, object]:
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(API + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"{}")


def sign_in(username: str, password: str) -> str:
    return str(post("/api/v1/auth/login", {"username": username, "password": password})["access_token"])


def person(admin: str, role: str) -> str:
    """A token of somebody with this role, who has changed the first password."""
    first, own = "first-password-of-1-day", "the-own-Passphrase-9"
    post("/api/v1/users", {"username": f"schema-{role}", "role": role, "password": first}, admin)
    token = sign_in(f"schema-{role}", first)
    post("/api/v1/auth/password", {"current": first, "new": own}, token)
    return sign_in(f"schema-{role}", own)


def walk(caller: str, credential: str, results: Path) -> bool:
    excluded = [word for path in STREAMS + SIGN_OUT for word in ("--exclude-path", path)]
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *["run", f"{API}/api/openapi.json", "--url", API, "--no-color"],
        *["--header", f"Authorization: Bearer {credential}", *excluded],
        *["--phases", "examples,coverage,fuzzing", "--checks", ",".join(CHECKS)],
        *["--max-examples", str(EXAMPLES), "--max-time", str(SECONDS), "--continue-on-failure"],
        *["--seed", "1", "--generation-database", "none", "--request-timeout", "20", "--warnings", "off"],
        *["--report", "junit", "--report-junit-path", str(results / f"schema-{caller}.xml")],
    ]
    print(f"schema: as {caller}", flush=True)
    return subprocess.run(command, cwd=results, check=False).returncode == 0


def main(results: Path) -> int:
    admin = sign_in("admin", PASSWORD)
    callers = {
        "read-key": os.environ["E2E_READ_KEY"],
        "viewer": person(admin, "viewer"),
        "compliance-officer": person(admin, "compliance_officer"),
        # Last: it may change everything.
        "admin": admin,
    }
    good = [walk(caller, credential, results) for caller, credential in callers.items()]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
