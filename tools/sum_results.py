"""Sums the results of the runners and prints "N passed, N failed" as the last line.

A runner that failed without naming a failed test (it did not compile, it was killed) counts as one
failure: nothing that went wrong may add up to zero.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SKIPPED, PASSED, FAILED = "skipped", "passed", "failed"


def junit(path: Path) -> list[tuple[str, str]]:
    """Name and outcome of each test case of a JUnit report."""
    cases = []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname') or path.stem} {case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            cases.append((name, FAILED))
        elif case.find("skipped") is not None:
            cases.append((name, SKIPPED))
        else:
            cases.append((name, PASSED))
    return cases


def tap(path: Path) -> list[tuple[str, str]]:
    """Name and outcome of each leaf test of a TAP report (node --test)."""
    cases = []
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        found = re.match(r"\s*(not ok|ok) \d+ - (.*)", line)
        if not found or any("type: 'suite'" in after for after in lines[number + 1 : number + 4]):
            continue
        outcome = PASSED if found[1] == "ok" else FAILED
        cases.append((found[2], SKIPPED if "# SKIP" in found[2] else outcome))
    return cases


def lint(path: Path) -> list[tuple[str, str]]:
    """Name and outcome of each check of tools/lint.sh."""
    found = re.findall(r"^(ok|FAILED): (.*)$", path.read_text(), re.MULTILINE)
    return [(name, PASSED if word == "ok" else FAILED) for word, name in found]


def read(path: Path) -> list[tuple[str, str]]:
    readers = {".xml": junit, ".tap": tap, ".txt": lint}
    return readers[path.suffix](path)


def main(directory: Path) -> int:
    passed = failed = 0
    for path in sorted(path for path in directory.iterdir() if path.suffix in (".xml", ".tap", ".txt")):
        cases = read(path)
        broken = [name for name, outcome in cases if outcome == FAILED]
        if not cases:
            broken = [f"{path.stem}: no result"]
        for name in broken:
            print(f"failed: {name}")
        passed += sum(outcome == PASSED for _, outcome in cases)
        failed += len(broken)
    expected = {"lint.txt", "rust.xml", "sdk-python.xml", "sdk-typescript.tap"}
    expected |= {f"schema-{caller}.xml" for caller in ("read-key", "admin", "viewer", "compliance-officer")}
    missing = expected - {path.name for path in directory.iterdir()}
    for name in sorted(missing):
        print(f"failed: {name}: the runner left no report")
    failed += len(missing)
    if failed == 0 and list(directory.glob("*.failed")):
        print("failed: a runner ended with an error and named no test")
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
