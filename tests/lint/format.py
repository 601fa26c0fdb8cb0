#!/usr/bin/env python3
"""Our sources are as clang-format leaves them."""
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.path[0] + "/common")
import lint

STYLE = pathlib.Path(__file__).resolve().parents[2] / ".clang-format"


def check(root):
    if not shutil.which("clang-format"):
        return ["clang-format is not installed"]
    paths = lint.files(root, ["daemon", "firmware", "tests"], (".c", ".h", ".cpp"))
    if not paths:
        return []
    done = subprocess.run(["clang-format", f"--style=file:{STYLE}", "--dry-run", "--ferror-limit=1", "-Werror",
                           *[str(p) for p in paths]], cwd=root, capture_output=True, text=True)
    return [line for line in done.stderr.splitlines() if "error:" in line] if done.returncode else []


CLEAN = {"daemon/at/x.c": "int x(int y)\n{\n    return y;\n}\n"}
SPOILT = {
    "another indent": ({"daemon/at/x.c": "int x(int y)\n{\n  return y;\n}\n"}, "x.c:2"),
    "another brace": ({"tests/unit/y.c": "int x(int y) {\n    return y;\n}\n"}, "y.c:1"),
}

if __name__ == "__main__":
    lint.run(check, CLEAN, SPOILT)
