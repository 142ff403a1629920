"""What a release is made fast for: `tools/profile.sh` runs this with a program that counts."""

import secrets

from .__main__ import REPORT, at_size
from .load import deliver, open_loop, wrk
from .rounds import Plan, say
from .services import ROOT, product, provider, slow_provider

SECONDS = 8
DECISIONS = 50_000


def calls() -> None:
    """Many at once and a few, without policies and with them; reports beside them."""
    target = provider()
    plain, judged = product(target), product(target, ROOT / "policies")
    try:
        for connections in (64, 256, 8):
            wrk(plain, connections, SECONDS)
        # A user for each run: the starter bundle has a ceiling of tokens for each.
        judged.headers["x-llm-user"] = f"u-{secrets.token_hex(4)}"
        wrk(judged, 64, SECONDS)
        deliver(f"{plain.api}/api/v1/audit/log", plain.ingest_key(), REPORT, 4, SECONDS)
        plain.wait_indexed()
    finally:
        for service in (judged, plain, target):
            service.stop()


def streams() -> None:
    """Streams, and calls that wait for a slow provider."""
    target = slow_provider(20, 5)
    ours = product(target)
    try:
        open_loop(ours, 50, SECONDS, stream=True)
        open_loop(ours, 500, SECONDS)
    finally:
        ours.stop()
        target.stop()


def main() -> None:
    say("calls")
    calls()
    say("streams")
    streams()
    say("index, queries, verification")
    plan = Plan(quick=True)
    plan.decisions = DECISIONS
    at_size(plan, {})


if __name__ == "__main__":
    main()
