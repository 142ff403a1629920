"""Rounds under open-loop load, made until enough of them fell into times in which the machine held still."""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from .load import disk_alone, fdatasync_ms
from .report import DIRECT, NGINX, STILL_MAX_MS
from .services import Service

SHARES = ("p50", "p99", "p99_9")
# Requests a second whose records the disk alone writes between two rounds, whatever the part's own load is.
DISK_RATE = 1000


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Plan:
    """How long everything takes."""

    def __init__(self, quick: bool) -> None:
        self.rounds = 1 if quick else 5
        self.closed_seconds = 3 if quick else 8
        self.open_seconds = 3 if quick else 10
        self.rounds_still = 1 if quick else 7
        self.rounds_still_min = 1 if quick else 5
        self.rounds_max = 2 if quick else 20
        self.decisions = 20_000 if quick else 1_000_000
        self.queries = 30 if quick else 200


class Rounds:
    """What each service took in each round, in turns, and what the disk alone took before and after.

    `what` names the times that count: `whole_ms` or `first_byte_ms`; `share` where the machine has to hold still.
    """

    def __init__(self, plan: Plan, what: str, share: str) -> None:
        self.plan = plan
        self.what = what
        self.share = share
        self.made: list[dict] = []

    def make(self, services: dict[str, Service], scratch: Path, ask: Callable[[Service, int], dict]) -> None:
        """Asks every service in turn, until enough rounds count or the most that may be made were."""
        seconds = self.plan.open_seconds
        before = disk_alone(scratch, DISK_RATE, seconds)
        while len(self.made) < self.plan.rounds_max and len(self.still()) < self.plan.rounds_still:
            number = len(self.made) + 1
            sync = fdatasync_ms(scratch)
            answers = {}
            for name, service in services.items():
                answers[name] = done = ask(service, number)
                why = f"failed {done['failed']} {done['failure'] or ''}"
                say(f"round {number}: {name} {done[self.what]} {why}")
            after = disk_alone(scratch, DISK_RATE, seconds)
            say(f"round {number}: the disk alone {after}")
            self.made.append({"sync_ms": sync, "disk": after, "disk_before": before, "answers": answers})
            before = after

    def still(self) -> list[dict]:
        """The rounds in which the machine itself held still: the disk before and after, the provider and nginx.

        Where it stood still for tens of milliseconds, nothing that ran on it could be measured. What Audit
        Layer took is not looked at.
        """
        return [of for of in self.made if self._held_still(of)]

    def _held_still(self, of: dict) -> bool:
        took = {name: of["answers"][name][self.what] for name in (DIRECT, NGINX) if name in of["answers"]}
        neighbours = [times[self.share] - took[DIRECT]["p50"] for times in took.values()]
        disk = [of[when]["call_ms"][self.share] for when in ("disk_before", "disk")]
        return max(*disk, *neighbours) <= STILL_MAX_MS[self.share]

    def _counted(self) -> list[dict]:
        """The still rounds; where none was, all, for a table that says so."""
        return self.still() or self.made

    def summary(self, against: str) -> dict:
        """Medians of the rounds that count, in milliseconds, and of their differences to one of the services."""
        counted = self._counted()
        return {
            "table": {name: self._row(name, against, counted) for name in counted[0]["answers"]},
            "added_in_all_ms": {name: self._added(name, against, self.made) for name in counted[0]["answers"]},
            "still_at": self.share,
            "rounds": len(self.made),
            "rounds_still": len(self.still()),
            "rounds_still_min": self.plan.rounds_still_min,
        }

    def _row(self, name: str, against: str, rounds: list[dict]) -> dict:
        of_all = [of["answers"][name] for of in rounds]
        answered = [done[self.what] for done in of_all if done["answered"]]
        return {
            **{share: median(of[share] for of in answered) if answered else None for share in SHARES},
            "failed": sum(done["failed"] for done in of_all),
            "added_ms": self._added(name, against, rounds),
        }

    def _added(self, name: str, against: str, rounds: list[dict]) -> dict:
        """The median of the rounds' differences; nothing where no request was answered."""
        pairs = [(of["answers"][name], of["answers"][against]) for of in rounds]
        taken = [(mine[self.what], other[self.what]) for mine, other in pairs if mine["answered"]]
        return {share: median(mine[share] - other[share] for mine, other in taken) if taken else None for share in SHARES}

    def disk(self) -> dict:
        """What the disk alone took in the rounds that count."""
        counted = self._counted()
        return {
            "fdatasync_p50_ms": median(of["disk"]["sync_ms"]["p50"] for of in counted),
            "fdatasync_in_a_row_p50_ms": median(of["sync_ms"] for of in counted),
            "disk_alone_ms": {share: median(of["disk"]["call_ms"][share] for of in counted) for share in SHARES},
        }
