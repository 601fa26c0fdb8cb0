#!/usr/bin/env python3
"""The dialogue of the checked transfer in firmware/README.md is the one that tests/unit/test_core_transfer.c runs: the
same lines said, in the same order."""
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.path[0] + "/common")
import lint

README, TEST = "firmware/README.md", "tests/unit/test_core_transfer.c"


def said_in_readme(text):
    block = re.search(r"^## The provisioning.*?Checked transfer.*?```\n(.*?)```", text, re.S | re.M)
    lines = block.group(1).splitlines() if block else []
    return [line[2:] for line in lines if line.startswith("> ")]


def said_in_test(text):
    table = re.search(r"dialogue\[\] = \{(.*?)\n\};", text, re.S)
    return re.findall(r'\{\s*"((?:[^"\\]|\\.)*)\\r"', table.group(1)) if table else []


def check(root):
    readme, test = (root / README).read_text(), (root / TEST).read_text()
    documented, tested = said_in_readme(readme), said_in_test(test)
    if not documented:
        return [f"{README}: no dialogue"]
    return [f"{README}: \"{line}\" is not what the test says there" for line, other in
            zip(documented, tested + [""] * len(documented)) if line != other]


def readme(line):
    return f"## The provisioning firmware\n\n### Checked transfer\n\n```\n> {line}\n< OK\n```\n"


def test(line):
    return f'static const struct row dialogue[] = {{\n    {{"{line}\\r", "", 0}},\n}};\n'


CLEAN = {README: readme("AT#CRED=3"), TEST: test("AT#CRED=3")}
SPOILT = {"another digit": ({README: readme("AT#CRED=4")}, "not what the test says"),
          "no dialogue": ({README: "nothing\n"}, "no dialogue")}

if __name__ == "__main__":
    lint.run(check, CLEAN, SPOILT)
