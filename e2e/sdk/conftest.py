"""What the tests of the Python SDKs share: clients, and the decision that a call has become."""

import json
import os
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

GATEWAY = os.environ["E2E_GATEWAY"]
API = os.environ["E2E_API"]
KEY = os.environ["E2E_KEY"]
HEADERS = {"x-llm-source": "e2e", "x-llm-user": "u-python", "x-llm-request-type": "test"}


def _get(path: str, token: str) -> Any:
    request = urllib.request.Request(API + path, headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@dataclass
class Audit:
    """Reads back what was recorded."""

    token: str

    def reviews(self, user: str) -> list[dict[str, Any]]:
        """The user's reviews that wait for a person."""
        waiting = _get("/api/v1/reviews?state=pending&limit=500", self.token)["items"]
        return [review for review in waiting if review["user_id"] == user]

    def approve(self, review_id: str) -> None:
        """Lets a call through, as a person would."""
        path = f"{API}/api/v1/reviews/{review_id}/approve"
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        request = urllib.request.Request(path, data=b'{"rationale": "looked at"}', headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["state"] == "approved"

    def decision(self, audit_id: str | None) -> dict[str, Any]:
        """The decision with its events. The API waits for the index, so there is nothing to poll."""
        assert audit_id, "the answer carries x-audit-id"
        return _get(f"/api/v1/audit/logs/{audit_id}?reveal=true&purpose=tests", self.token)


class Calls:
    """Hooks for an SDK's HTTP client that note the decision of each call."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def note(self, response: Any) -> None:
        self.ids.append(response.headers["x-audit-id"])

    async def note_async(self, response: Any) -> None:
        self.note(response)


@pytest.fixture(scope="session")
def audit() -> Audit:
    password = os.environ["AUDIT_LAYER_ADMIN_PASSWORD"]
    body = json.dumps({"username": "admin", "password": password}).encode()
    request = urllib.request.Request(
        API + "/api/v1/auth/login", data=body, headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return Audit(json.load(answer)["access_token"])


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """A user of its own for each test, by which its calls are found."""
    return "u-" + "".join(c if c.isalnum() else "-" for c in request.node.name)


@pytest.fixture
def headers(user: str) -> dict[str, str]:
    return HEADERS | {"x-llm-user": user}


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def last(audit: Audit, calls: Calls) -> Callable[[], dict[str, Any]]:
    """The decision that the test's last call became."""
    return lambda: audit.decision(calls.ids[-1])


@pytest.fixture
def complete(last: Callable[[], dict[str, Any]], user: str) -> Callable[..., dict[str, Any]]:
    """Checks that the test's last call became a complete decision, and returns it."""

    def check(*, model: str, finish: str | None, tokens: tuple[int, int], path: str) -> dict[str, Any]:
        decision = last()
        assert decision["user_id"] == user
        assert decision["source"] == "e2e"
        assert decision["decision_type"] == "test"
        assert decision["provider"] == "upstream"
        assert decision["path"] == path
        assert decision["model_requested"] == model
        assert decision["model"] == model
        assert decision["status_code"] == 200
        assert decision["ending"] == "complete"
        assert decision["finish_reason"] == finish
        assert (decision["input_tokens"], decision["output_tokens"]) == tokens
        assert decision["usage_origin"] == "provider"
        assert decision["latency_ms"] > 0
        types = [event["event_type"] for event in decision["events"]]
        assert types[0] == "request_received"
        assert "routing_start" in types
        assert "routing_success" in types
        assert types[-1] == "request_completed"
        # The starter bundle has judged it, both ways, and changed nothing.
        assert types.count("policy_evaluation_complete") == 2
        assert decision["outcome"] == "ALLOW"
        assert decision["violations"] == []
        return decision

    return check
