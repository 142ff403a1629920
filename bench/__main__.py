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
from .load import BODY, deliver, open_loop, wrk
from .report import DIRECT, OURS
from .rounds import Plan, Rounds, say
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
NONE = "no policies"
REPORT = {
    "source": "bench", "user_id": "u-bench", "decision_type": "bench", "provider": "openai",
    "model": "gpt-4o-mini", "status_code": 200, "duration_ms": 812.4, "input_tokens": 60,
    "output_tokens": 24, "prompt_preview": "Summarise this complaint.",
    "response_preview": "The customer asks for a refund.",
}  # fmt: skip


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
    rounds = Rounds(plan, "whole_ms", "p99")
    try:
        for service in services:
            open_loop(service, 1000, 3)
        rounds.make(
            {service.name: service for service in services},
            ours.scratch,
            lambda service, _: open_loop(service, 1000, plan.open_seconds),
        )
        rss = ours.memory_mb("VmRSS")
    finally:
        for service in reversed(services):
            service.stop()
    return {**rounds.summary(DIRECT), **rounds.disk(), "rss_mb": rss}


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
    running = {DIRECT: target}
    rounds = Rounds(plan, "whole_ms", "p90")

    def ask(service: Service, number: int) -> dict:
        # A user for each round: the starter bundle has a ceiling of tokens for each.
        return open_loop(service, 200, plan.open_seconds, prompt=2048, user=f"u-{number}")

    try:
        for name, folder in {NONE: None, "starter bundle": ROOT / "policies", "1,000 policies": many}.items():
            running[name] = product(target, folder)
            open_loop(running[name], 200, 2, prompt=2048, user="u-first")
        rounds.make(running, running[NONE].scratch, ask)
    finally:
        for service in reversed(running.values()):
            service.stop()
        shutil.rmtree(many)
    return rounds.summary(NONE)


def streaming(plan: Plan, missing: dict[str, str]) -> dict:
    """Time to the first byte of a stream."""
    services = start_all(slow_provider(20, 5), [nginx_proxy, product, litellm, portkey], missing)
    ours = next(service for service in services if service.name == OURS)
    rounds = Rounds(plan, "first_byte_ms", "p90")

    def ask(service: Service, _: int) -> dict:
        rate = 10 if service.name.startswith("LiteLLM") else 50
        return open_loop(service, rate, plan.open_seconds, stream=True)

    try:
        rounds.make({service.name: service for service in services}, ours.scratch, ask)
    finally:
        for service in reversed(services):
            service.stop()
    return rounds.summary(DIRECT)


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
