"""`make bench`: measures everything in one run, in turns, and writes bench/results/."""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import report
from .load import BODY, deliver, disk_alone, fdatasync_ms, open_loop, wrk
from .services import (
    ANSWER,
    PROGRAM,
    RELEASE,
    ROOT,
    NotAvailable,
    Product,
    Service,
    litellm,
    nginx_proxy,
    portkey,
    product,
    provider,
    slow_provider,
)

RESULTS = Path(__file__).resolve().parent / "results"
CONNECTIONS = (32, 64, 256)
# A million decisions with their index; a full disk would be measured as a slow one.
DISK_FREE_GB_MIN = 25
OURS = "Audit Layer"
DIRECT = "provider directly"
NONE = "no policies"
SHARES = ("p50", "p99", "p99_9")
REPORT = {
    "source": "bench", "user_id": "u-bench", "decision_type": "bench", "provider": "openai",
    "model": "gpt-4o-mini", "status_code": 200, "duration_ms": 812.4, "input_tokens": 60,
    "output_tokens": 24, "prompt_preview": "Summarise this complaint.",
    "response_preview": "The customer asks for a refund.",
}  # fmt: skip


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Plan:
    """How long everything takes."""

    def __init__(self, quick: bool) -> None:
        self.rounds = 1 if quick else 5
        self.closed_seconds = 3 if quick else 8
        self.open_seconds = 3 if quick else 10
        self.latency_rounds_still = 1 if quick else 7
        self.latency_rounds_still_min = 1 if quick else 5
        self.latency_rounds_max = 2 if quick else 20
        self.decisions = 20_000 if quick else 1_000_000
        self.queries = 30 if quick else 200


def start_all(target: Service, makers: list[Callable], missing: dict[str, str]) -> list[Service]:
    """Starts what can be started; says why the rest cannot."""
    running = [target]
    for maker in makers:
        try:
            running.append(maker(target))
            say(f"started {running[-1].name}")
        except NotAvailable as reason:
            missing[maker.__name__] = str(reason)
            say(f"left out: {reason}")
    return running


def throughput(plan: Plan, missing: dict[str, str]) -> dict:
    """Closed loop, in turns; the median of the rounds."""
    services = start_all(provider(), [nginx_proxy, product, litellm, portkey], missing)
    rounds: dict = {}
    try:
        for service in services:
            wrk(service, 32, 2)
        for number in range(plan.rounds):
            for connections in CONNECTIONS:
                for service in services:
                    done = wrk(service, connections, plan.closed_seconds)
                    rounds.setdefault(service.name, {}).setdefault(connections, []).append(done)
                    say(f"round {number + 1}, {connections}: {service.name} {done['rps']:.0f}/s")
        memory = {service.name: service.memory_mb() for service in services}
        ours = next(service for service in services if service.name == OURS)
        disk = disk_per_call(ours, rounds)
    finally:
        for service in reversed(services):
            service.stop()
    table = {
        name: {
            connections: {
                what: statistics.median(done[what] or 0 for done in of)
                for what in ("rps", "p50_ms", "p99_ms", "failed")
            }
            for connections, of in by_connections.items()
        }
        for name, by_connections in rounds.items()
    }
    return {"table": table, "memory_mb": memory, "disk": disk}


def allocated(directory: Path) -> int:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return sum(path.stat().st_blocks * 512 for path in files)


def disk_per_call(ours: Product, rounds: dict) -> dict:
    ours.wait_indexed()
    calls = sum(done["requests"] for of in rounds[OURS].values() for done in of)
    parts = {
        "journal": ours.data / "journal",
        "ledger": ours.data / "ledger",
    }
    sizes = {name: allocated(path) / calls for name, path in parts.items()}
    index = [path for path in ours.data.glob("index.db*")]
    sizes["index"] = sum(path.stat().st_size for path in index) / calls
    return {"calls": calls, "bytes_per_call": sizes}


def latency(plan: Plan, missing: dict[str, str]) -> dict:
    """Open loop at 1,000 requests a second against a provider that takes 20 ms."""
    services = start_all(slow_provider(20), [nginx_proxy, product], missing)
    ours = services[-1]
    rounds: list[dict] = []
    try:
        for service in services:
            open_loop(service, 1000, 3)
        before = disk_alone(ours.scratch, 1000, plan.open_seconds)
        while len(rounds) < plan.latency_rounds_max and sum(map(still, rounds)) < plan.latency_rounds_still:
            sync = fdatasync_ms(ours.scratch)
            answers = {}
            for service in services:
                answers[service.name] = done = open_loop(service, 1000, plan.open_seconds)
                say(f"round {len(rounds) + 1}: {service.name} {done['whole_ms']} failed {done['failed']}")
            after = disk_alone(ours.scratch, 1000, plan.open_seconds)
            say(f"round {len(rounds) + 1}: the disk alone {after}")
            rounds.append({"sync_ms": sync, "disk": after, "disk_before": before, "answers": answers})
            before = after
        rss = ours.memory_mb("VmRSS")
    finally:
        for service in reversed(services):
            service.stop()
    counted = [of for of in rounds if still(of)]
    return {
        **latency_of(counted or rounds),
        "rounds": len(rounds),
        "rounds_still": len(counted),
        "rounds_still_min": plan.latency_rounds_still_min,
        "added_in_all_ms": added(rounds),
        "rss_mb": rss,
    }


def still(of: dict) -> bool:
    """Whether the machine itself kept the bound in a round: the disk before and after, the provider and nginx.

    Where it stood still for tens of milliseconds, nothing that ran on it could be measured. What Audit Layer
    took is not looked at.
    """
    directly = of["answers"][DIRECT]["whole_ms"]["p50"]
    neighbours = [done["whole_ms"]["p99"] - directly for name, done in of["answers"].items() if name != OURS]
    disk = [of[when]["call_ms"]["p99"] for when in ("disk_before", "disk")]
    return max(*disk, *neighbours) <= report.LATENCY_P99_MAX_MS


def added(rounds: list[dict]) -> dict:
    """The median of the rounds' differences, in milliseconds."""
    return {
        share: statistics.median(
            of["answers"][OURS]["whole_ms"][share] - of["answers"][DIRECT]["whole_ms"][share] for of in rounds
        )
        for share in SHARES
    }


def latency_of(rounds: list[dict]) -> dict:
    table = {
        name: {
            **{share: statistics.median(of["answers"][name]["whole_ms"][share] for of in rounds) for share in SHARES},
            "failed": sum(of["answers"][name]["failed"] for of in rounds),
        }
        for name in rounds[0]["answers"]
    }
    return {
        "table": table,
        "added_ms": added(rounds),
        "fdatasync_p50_ms": statistics.median(of["disk"]["sync_ms"]["p50"] for of in rounds),
        "fdatasync_in_a_row_p50_ms": statistics.median(of["sync_ms"] for of in rounds),
        "disk_alone_ms": {
            share: statistics.median(of["disk"]["call_ms"][share] for of in rounds) for share in SHARES
        },
    }


def many_policies(count: int) -> Path:
    """A folder of policies none of which matches; each has a condition that is looked at."""
    conditions = (
        'context.request_type == "kind-{n}"',
        "context.findings.email.count > {n} + 20",
        'context.data_classes.contains("phi") && context.request_bytes > {n}',
        'context.roles.contains("role-{n}") || context.tools_offered.contains("tool-{n}")',
    )
    directory = Path(tempfile.mkdtemp())
    text = "".join(
        f'@id("p-{n}") @outcome("BLOCK")\n'
        'forbid (principal, action == Action::"prompt", resource)\n'
        f"when {{ {conditions[n % len(conditions)].format(n=n)} }};\n"
        for n in range(count)
    )
    (directory / "many.cedar").write_text(text)
    return directory


def policies(plan: Plan, missing: dict[str, str]) -> dict:
    """What policies add: the gateway without any, with the starter bundle, with a thousand."""
    target, many = slow_provider(20), many_policies(1000)
    running = {}
    rounds: dict = {}
    try:
        for name, folder in {NONE: None, "starter bundle": ROOT / "policies", "1,000 policies": many}.items():
            running[name] = product(target, folder)
            open_loop(running[name], 200, 2, prompt=2048, user="u-first")
        for number in range(plan.rounds * 2):
            for name, service in running.items():
                # A user for each round: the starter bundle has a ceiling of tokens for each.
                done = open_loop(service, 200, plan.open_seconds, prompt=2048, user=f"u-{number}")
                rounds.setdefault(name, []).append(done)
                say(f"round {number + 1}: {name} {done['whole_ms']} failed {done['failed']}")
    finally:
        for service in [*running.values(), target]:
            service.stop()
        shutil.rmtree(many)
    return {
        name: {
            "p50": statistics.median(done["whole_ms"]["p50"] for done in of),
            "p99": statistics.median(done["whole_ms"]["p99"] for done in of),
            "failed": sum(done["failed"] for done in of),
            "added_p50": statistics.median(
                mine["whole_ms"]["p50"] - none["whole_ms"]["p50"]
                for mine, none in zip(of, rounds[NONE], strict=True)
            ),
        }
        for name, of in rounds.items()
    }


def streaming(plan: Plan, missing: dict[str, str]) -> dict:
    """Time to the first byte of a stream."""
    services = start_all(slow_provider(20, 5), [nginx_proxy, product, litellm, portkey], missing)
    rounds: dict = {}
    try:
        for _ in range(plan.rounds):
            for service in services:
                rate = 10 if service.name.startswith("LiteLLM") else 50
                done = open_loop(service, rate, plan.open_seconds, stream=True)
                rounds.setdefault(service.name, []).append(done)
    finally:
        for service in reversed(services):
            service.stop()
    table = {name: first_byte(of) for name, of in rounds.items()}
    for row in table.values():
        direct = table[DIRECT]["p50"]
        row["added_p50"] = None if row["p50"] is None else row["p50"] - direct
    return table


def first_byte(rounds: list[dict]) -> dict:
    """Medians over the rounds; nothing where no stream was answered."""
    answered = [done["first_byte_ms"] for done in rounds if done["answered"]]
    for done in rounds:
        if done["failure"]:
            say(f"failed: {done['failure']}")
    return {
        "p50": statistics.median(of["p50"] for of in answered) if answered else None,
        "p99": statistics.median(of["p99"] for of in answered) if answered else None,
        "failed": sum(done["failed"] for done in rounds),
    }


def ingest(plan: Plan, missing: dict[str, str]) -> dict:
    """Reports in batches of 100, with fields alone and with raw bodies, beside the gateway."""
    target = provider()
    ours = product(target)
    kinds = {
        "reports, fields": REPORT,
        "reports, raw bodies": REPORT | {"request": {"body": BODY}, "response": {"body": json.loads(ANSWER)}},
    }
    rounds: dict = {}
    try:
        key, url = ours.ingest_key(), f"{ours.api}/api/v1/audit/log"
        wrk(ours, 64, 2)
        for number in range(plan.rounds):
            for name, item in kinds.items():
                done = deliver(url, key, item, 4, plan.closed_seconds)
                rounds.setdefault(name, []).append(done)
                say(f"round {number + 1}: {name} {done['per_second']:.0f}/s")
            done = wrk(ours, 64, plan.closed_seconds)
            rounds.setdefault("calls through the gateway", []).append(done | {"per_second": done["rps"]})
        memory = ours.memory_mb()
    finally:
        ours.stop()
        target.stop()
    table = {
        name: {
            what: statistics.median(done[what] or 0 for done in of)
            for what in ("per_second", "p50_ms", "p99_ms", "failed")
        }
        for name, of in rounds.items()
    }
    return {"table": table, "memory_mb": memory}


def timed(times: int, call: Callable[[int], object]) -> dict:
    took = []
    for number in range(times):
        start = time.perf_counter()
        call(number)
        took.append((time.perf_counter() - start) * 1000)
    took.sort()
    return {"p50_ms": took[len(took) // 2], "p95_ms": took[int(len(took) * 0.95)]}


def at_size(plan: Plan, missing: dict[str, str]) -> dict:
    """Indexing beside the load, queries and verification at a million decisions."""
    target = provider()
    ours = product(target)
    try:
        start, calls = time.monotonic(), 0
        while calls < plan.decisions:
            calls += wrk(ours, 64, min(20, plan.closed_seconds * 4))["requests"]
            say(f"{calls} decisions recorded")
        load_seconds = time.monotonic() - start
        catch_up = ours.wait_indexed()
        ids = [item["id"] for item in ours.get("/api/v1/audit/logs?limit=200")["items"]]
        queries = {
            "list": timed(plan.queries, lambda n: ours.get(f"/api/v1/audit/logs?source=bench&status=200&limit={50 + n % 3}")),
            "list, none found": timed(plan.queries, lambda n: ours.get(f"/api/v1/audit/logs?user_id=nobody-{n}")),
            "search": timed(min(plan.queries, 50), lambda n: ours.get("/api/v1/audit/logs?q=refund&limit=50")),
            "metrics": timed(plan.queries, lambda n: ours.get("/api/v1/metrics?group_by=model")),
            "decision": timed(plan.queries, lambda n: ours.get(f"/api/v1/audit/logs/{ids[n % len(ids)]}")),
        }  # fmt: skip
        ours.end()
        return {
            "decisions": calls,
            "load_seconds": load_seconds,
            "catch_up_seconds": catch_up,
            "indexed_per_second": calls / (load_seconds + catch_up),
            "queries": queries,
            "verify": verify(ours),
            "index_alone": index_alone(plan.decisions),
        }
    finally:
        ours.stop()
        target.stop()


def verify(ours: Product) -> dict:
    """Each command four times; the cache is warm from the second on: the median of those."""
    journal_mb = allocated(ours.data / "journal") / 1e6
    took = {}
    for name, flags in {"ledger": ["--ledger"], "full": []}.items():
        times = []
        for _ in range(4):
            start = time.perf_counter()
            subprocess.run(
                [PROGRAM, "verify", *flags, "--data", ours.data],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            times.append(time.perf_counter() - start)
        took[name] = statistics.median(times[1:])
    return {"journal_mb": journal_mb, "seconds": took, "full_mb_per_second": journal_mb / took["full"]}


def index_alone(decisions: int) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [RELEASE / "examples/index_rate", str(decisions), f"{scratch}/index.db"],
            check=True, stdout=subprocess.PIPE,
        )  # fmt: skip
    return json.loads(done.stdout.decode().splitlines()[-1])


PARTS = {
    "throughput": throughput,
    "latency": latency,
    "policies": policies,
    "streaming": streaming,
    "ingest": ingest,
    "at_size": at_size,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="short rounds: for a first look only")
    parser.add_argument("--only", choices=PARTS, action="append", help="only these parts")
    arguments = parser.parse_args()
    plan = Plan(arguments.quick)
    scratch = tempfile.gettempdir()
    free_gb = shutil.disk_usage(scratch).free / 1e9
    if free_gb < DISK_FREE_GB_MIN and not arguments.quick:
        sys.exit(
            f"bench: {scratch} has {free_gb:.0f} GB free, {DISK_FREE_GB_MIN} are needed: "
            "make room, or name another place with TMPDIR"
        )
    results: dict = {"machine": report.machine(), "quick": arguments.quick, "missing": {}}
    RESULTS.mkdir(exist_ok=True)
    failed = False
    for name in arguments.only or PARTS:
        say(f"— {name}")
        try:
            results[name] = PARTS[name](plan, results["missing"])
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            say(f"{name} failed: {error}")
            results["missing"][name] = f"failed: {error}"
            failed = True
        report.write(results, RESULTS)
    say(f"wrote {RESULTS.relative_to(Path.cwd())}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
