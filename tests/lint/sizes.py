#!/usr/bin/env python3
"""Proportions: a function is at most 120 lines. Prints the median, the 90th and the 99th percentile of each world.

Our format puts a function's braces, and only those, alone at the start of a line, so that no parser is needed."""
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.path[0] + "/common")
import lint

FUNCTION_MAX = 120
WORLDS = ["daemon", "firmware", "tests"]


def functions(root, path):
    """(length in lines with its braces, first line's number) of each function."""
    found, start = [], None
    for number, line in enumerate((root / path).read_text().splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            found.append((number - start + 1, start))
            start = None
    return found


def percentile(lengths, p):
    return sorted(lengths)[min(len(lengths) - 1, len(lengths) * p // 100)]


def measured(root, world):
    for path in lint.files(root, [world], (".c", ".h", ".cpp")):
        for length, start in functions(root, path):
            yield path, start, length


def check(root):
    return [f"{path}:{start}: a function of {length} lines, {FUNCTION_MAX} at most"
            for world in WORLDS for path, start, length in measured(root, world) if length > FUNCTION_MAX]


def report(root):
    for world in WORLDS:
        lengths = [length for _, _, length in measured(root, world)]
        if lengths:
            marks = ", ".join(f"p{p} {percentile(lengths, p)}" for p in (50, 90, 99))
            print(f"{world}: {len(lengths)} functions, {marks}, longest {max(lengths)}")


def source(lines):
    return "int x(void)\n{\n" + "    y();\n" * (lines - 2) + "}\n"


CLEAN = {"daemon/at/x.c": source(FUNCTION_MAX) + source(10)}
SPOILT = {
    "a long function": ({"daemon/at/y.c": source(10) + source(FUNCTION_MAX + 1)}, "y.c:13"),
    "a long test": ({"tests/unit/test_y.c": source(FUNCTION_MAX + 1)}, "test_y.c:2"),
}

if __name__ == "__main__":
    lint.run(check, CLEAN, SPOILT, report)
