"""What every lint shares: finding sources, and proving itself before it judges the tree.

A lint is a function from a root directory to a list of findings. Before it looks at the real tree it must find nothing
in a small clean one and something in each spoilt copy of it: a lint that cannot fail guards nothing.
"""
import os
import pathlib
import sys
import tempfile

SKIPPED = {".git", "node_modules", "__pycache__"}


def files(root, folders, endings):
    """The files below root/folder for each folder, sorted, as paths relative to root; build trees left out."""
    found = []
    for folder in folders:
        for where, below, names in os.walk(root / folder):
            below[:] = [b for b in below if b not in SKIPPED and not b.startswith("build")]
            found += [pathlib.Path(where, n).relative_to(root) for n in names if n.endswith(endings)]
    return sorted(found)


def plant(directory, tree):
    for path, text in tree.items():
        file = pathlib.Path(directory, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def findings_in(check, tree):
    with tempfile.TemporaryDirectory() as directory:
        plant(directory, tree)
        return check(pathlib.Path(directory))


def prove(check, clean, spoilt):
    """spoilt: what is wrong -> (files added to or put over the clean tree, words that a finding must have)."""
    found = findings_in(check, clean)
    if found:
        return [f"self-test: the clean tree has findings: {found}"]
    broken = []
    for what, (tree, words) in spoilt.items():
        found = findings_in(check, {**clean, **tree})
        if not any(words in f for f in found):
            broken.append(f"self-test: did not notice {what}: {found}")
    return broken


def run(check, clean, spoilt, report=None):
    root = pathlib.Path(os.environ.get("SOURCE_DIR", pathlib.Path(__file__).resolve().parents[3]))
    found = prove(check, clean, spoilt)
    if not found:
        print(f"self-test: {len(spoilt)} planted faults found")
        found = check(root)
        if report:
            report(root)
    for finding in found:
        print(finding)
    sys.exit(1 if found else 0)
