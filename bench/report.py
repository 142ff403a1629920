"""The table and the chart."""

import json
import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path

NGINX = "nginx, reverse proxy"
OURS = "Audit Layer"
DIRECT = "provider directly"
# What the p99 of added latency may be.
LATENCY_P99_MAX_MS = 3
# What the machine alone may take in a round that counts: the bound itself where the p99 has one, and less at p90
# where medians tenths of a millisecond apart are compared.
STILL_MAX_MS = {"p99": LATENCY_P99_MAX_MS, "p90": 1}


def _first_line(*command: str) -> str:
    if not shutil.which(command[0]):
        return "none"
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": f"{os.cpu_count()} × {cpu[1] if cpu else platform.machine()}",
        "memory": f"{int(memory[1]) / 1024 / 1024:.0f} GiB" if memory else "unknown",
        "kernel": platform.release(),
        "file system": _first_line("stat", "-f", "-c", "%T", "."),
        "rustc": _first_line("rustc", "--version"),
        "nginx": _first_line("nginx", "-v"),
        "node": _first_line("node", "--version"),
        "commit": _first_line("git", "rev-parse", "--short", "HEAD"),
    }


def _table(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _throughput(part: dict) -> str:
    rows = []
    table = part["table"]
    for name, by_connections in table.items():
        for connections, done in by_connections.items():
            neighbour = table.get(NGINX, {}).get(connections, {}).get("rps")
            share = f"{done['rps'] / neighbour:.2f}" if neighbour else "–"
            rows.append(
                [name, connections, f"{done['rps']:,.0f}", share, _ms(done["p50_ms"]),
                 _ms(done["p99_ms"]), f"{done['failed']:.0f}", f"{part['memory_mb'][name]:.0f}"]
            )  # fmt: skip
    head = ["", "connections", "answers/s", "of nginx", "p50 ms", "p99 ms", "failed", "peak MB"]
    sizes = ", ".join(f"{name} {size:.0f} B" for name, size in part["disk"]["bytes_per_call"].items())
    return (
        "## Throughput\n\nClosed loop (wrk, one thread), a provider that answers at once with 400 bytes; "
        "median of the rounds. Audit Layer records bodies, sealed and synced; the others record nothing.\n\n"
        f"{_table(head, rows)}\nOn disk per call, blocks written ahead included: {sizes} ({part['disk']['calls']:,} calls).\n"
    )


def _rounds(part: dict) -> str:
    """How many rounds count, and which."""
    at = part["still_at"]
    return (
        f"{part['rounds']} rounds, {part['rounds_still']} of which count: those in which the machine itself held "
        f"still: the disk alone before and after took at most {STILL_MAX_MS[at]} ms at {at}, the provider alone, and "
        "nginx where it takes part, at most as much more than the provider's median. Medians of those; what was added "
        "is the median of the rounds' differences."
    )


def _verdict(part: dict, added: float | None, bound: float) -> str:
    if added is None:
        return "no answers"
    if part["rounds_still"] < part["rounds_still_min"]:
        return "too few rounds count"
    return "held" if added <= bound else "not held"


def _latency(part: dict) -> str:
    rows = [
        [name, _ms(of["p50"]), _ms(of["p99"]), _ms(of["p99_9"]), of["failed"]]
        for name, of in part["table"].items()
    ]
    added, disk = part["table"][OURS]["added_ms"], part["disk_alone_ms"]
    sync, in_a_row = part["fdatasync_p50_ms"], part["fdatasync_in_a_row_p50_ms"]
    p50_max = 2.5 * sync + 0.2
    everywhere = part["added_in_all_ms"][OURS]
    return (
        "## Added latency\n\nOpen loop, 1,000 requests a second, a provider that takes 20 ms. "
        f"{_rounds(part)}\n\n"
        f"{_table(['', 'p50 ms', 'p99 ms', 'p99.9 ms', 'failed'], rows)}\n"
        f"Added by Audit Layer: p50 {added['p50']:.2f} ms, p99 {added['p99']:.2f} ms, p99.9 {added['p99_9']:.2f} ms. "
        f"Over all rounds: p50 {everywhere['p50']:.2f} ms, "
        f"p99 {everywhere['p99']:.2f} ms, p99.9 {everywhere['p99_9']:.2f} ms.\n\n"
        "The disk alone, in the same rounds, with no server at all (two records a call at the same rate, written and "
        f"synced by one thread): p50 {disk['p50']:.2f} ms, p99 {disk['p99']:.2f} ms, p99.9 {disk['p99_9']:.2f} ms; "
        f"one `fdatasync` at that pace p50 {sync:.2f} ms (one directly after the other: {in_a_row:.2f} ms).\n\n"
        f"Bounds: p50 2.5 × {sync:.2f} + 0.2 = {p50_max:.2f} ms: {_verdict(part, added['p50'], p50_max)}; "
        f"p99 {LATENCY_P99_MAX_MS} ms: {_verdict(part, added['p99'], LATENCY_P99_MAX_MS)}. "
        f"Resident after it: {part['rss_mb']:.0f} MB.\n"
    )


def _added_to_p50(part: dict, bounds: dict[str, float]) -> str:
    rows = []
    for name, of in part["table"].items():
        added, bound = of["added_ms"]["p50"], bounds.get(name)
        verdict = "" if bound is None else f"{bound} ms: {_verdict(part, added, bound)}"
        everywhere = part["added_in_all_ms"][name]["p50"]
        rows.append([name, _ms(of["p50"]), _ms(of["p99"]), _ms(added), verdict, _ms(everywhere), of["failed"]])
    return _table(["", "p50 ms", "p99 ms", "added p50 ms", "bound", "over all rounds", "failed"], rows)


def _policies(part: dict) -> str:
    table = _added_to_p50(part, {"starter bundle": 0.2, "1,000 policies": 1.0})
    return (
        "## Policies\n\nOpen loop, 200 requests a second, prompts of 2 KB, a provider that takes 20 ms; what is "
        f"added is added to the gateway without policies. {_rounds(part)}\n\n{table}"
    )


def _streaming(part: dict) -> str:
    table = _added_to_p50(part, {OURS: 1.0})
    return (
        "## Streamed answers: time to the first byte\n\nOpen loop, 50 requests a second, 10 for LiteLLM. "
        f"{_rounds(part)}\n\n{table}"
    )


def _ingest(part: dict) -> str:
    rows = [
        [name, f"{of['per_second']:,.0f}", _ms(of["p50_ms"]), _ms(of["p99_ms"]), f"{of['failed']:.0f}"]
        for name, of in part["table"].items()
    ]
    head = ["", "decisions/s", "p50 ms", "p99 ms", "failed"]
    return (
        "## Reports\n\nBatches of 100 on four connections, durable before the answer; the times are "
        f"of whole batches. Batches that found the memory for ids full were refused (503, "
        f"`Retry-After`; this load asks again at once) and count as failed, not as decisions. "
        f"Peak memory {part['memory_mb']:.0f} MB.\n\n{_table(head, rows)}"
    )


def _index_alone(part: dict) -> str:
    rate = part["indexing"]["decisions_per_second"]
    beside = part["indexing_beside_load"]["decisions_per_second"]
    rebuilt = part["rebuilding"]["decisions_per_second"]
    rows = [[name, _ms(of["p50"]), _ms(of["p95"])] for name, of in part["queries_ms"].items()]
    return (
        f"The index by itself, {part['decisions']:,} decisions over {part['days']} days: "
        f"{rate:,.0f} decisions/s, {beside:,.0f} with both processors busy, {rebuilt:,.0f} when "
        f"rebuilding; {part['file_bytes'] / part['decisions']:,.0f} B a decision.\n\n"
        f"{_table(['query of the index', 'p50 ms', 'p95 ms'], rows)}"
    )


def _at_size(part: dict) -> str:
    rows = [[name, _ms(of["p50_ms"]), _ms(of["p95_ms"])] for name, of in part["queries"].items()]
    check = part["verify"]
    million = part["decisions"] * 2 / 1e6
    return (
        f"## At {part['decisions']:,} decisions\n\n"
        f"Recorded in {part['load_seconds']:.0f} s under load; the index caught up "
        f"{part['catch_up_seconds']:.1f} s later: {part['indexed_per_second']:,.0f} decisions/s beside "
        f"the load.\n\n{_table(['query over HTTP', 'p50 ms', 'p95 ms'], rows)}\n"
        f"{_index_alone(part['index_alone'])}\n"
        f"`verify --ledger`: {check['seconds']['ledger']:.1f} s, "
        f"{check['seconds']['ledger'] / million:.1f} s per million leaves. Full `verify`: "
        f"{check['seconds']['full']:.1f} s over {check['journal_mb']:,.0f} MB of journal, "
        f"{check['full_mb_per_second']:,.0f} MB/s.\n"
    )


PARTS = {
    "throughput": _throughput,
    "latency": _latency,
    "policies": _policies,
    "streaming": _streaming,
    "ingest": _ingest,
    "at_size": _at_size,
}


def _chart(results: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "audit-layer"
    import matplotlib.pyplot as plt

    table = results["throughput"]["table"]
    names = [name for name in table if name != DIRECT]
    figure, axes = plt.subplots(figsize=(9, 4))
    connections = list(next(iter(table.values())))
    width = 0.8 / len(connections)
    for number, count in enumerate(connections):
        at = [position + number * width for position in range(len(names))]
        bars = axes.bar(at, [table[name][count]["rps"] for name in names], width, label=f"{count} connections")
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=7)
    axes.set_yscale("log")
    axes.set_xticks([position + width for position in range(len(names))], names)
    axes.set_ylabel("answers per second (log)")
    axes.set_title("Throughput; only Audit Layer keeps a record")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def write(results: dict, directory: Path) -> None:
    """Writes latest.json, latest.md and, with figures of throughput, latest.svg."""
    (directory / "latest.json").write_text(json.dumps(results, indent=1) + "\n")
    facts = "".join(f"| {name} | {value} |\n" for name, value in results["machine"].items())
    text = f"# Results\n\n| machine | |\n| --- | --- |\n{facts}\n"
    if results["quick"]:
        text += "**Short rounds: a first look, no result.**\n\n"
    for name, reason in results["missing"].items():
        text += f"Left out: {name} ({reason}).\n\n"
    if "throughput" in results:
        _chart(results, directory / "latest.svg")
        text += "![Throughput](latest.svg)\n\n"
    text += "\n".join(write_part(results[name]) for name, write_part in PARTS.items() if name in results)
    (directory / "latest.md").write_text(text)
