#!/usr/bin/env python3
"""The house's layers: an include points downwards or inside its own folder, and nothing goes round in circles.

A source may include the header of one whose header includes the source's own (an interface's header, below those of its
kinds, whose source picks one): the files still form no circle."""
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.path[0] + "/common")
import lint

LOW = {"base"}
MIDDLE = {"job", "at", "pki", "io", "base"}
UPPER = {"station", "store", "keys", "job", "pki", "base"}
ALL = {"api", "exchange", "outbox", "station", "store", "keys", "job", "at", "pki", "io", "base"}

# Folder (or top-level file's stem) -> what it may include: folders, or single headers where only data is meant.
SEES = {
    "base": set(),
    "at": LOW,
    "pki": LOW,
    "io": LOW,
    "job": {"at", "base", "pki/cred.h"},
    "station": MIDDLE,
    "store": MIDDLE,
    "keys": MIDDLE,
    "api": UPPER,
    "exchange": UPPER,
    "outbox": UPPER,
    "config": ALL,
    "app": ALL | {"config"},
    "cmd": ALL | {"config", "app"},
    "main": ALL | {"config", "app", "cmd"},
}
GENERATED = {"version.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def module(path):
    """daemon/at/line.c -> at; daemon/config_toml.cpp -> config; daemon/app.h -> app."""
    parts = path.parts[1:]
    return parts[0] if len(parts) > 1 else re.match(r"[a-z0-9]+", parts[0]).group(0)


def cycle(graph):
    """One cycle of a graph as a list of nodes, or None."""
    done, trail = set(), []

    def visit(node):
        if node in trail:
            return trail[trail.index(node):] + [node]
        if node in done:
            return None
        trail.append(node)
        for following in sorted(graph.get(node, ())):
            found = visit(following)
            if found:
                return found
        trail.pop()
        done.add(node)
        return None

    for node in sorted(graph):
        found = visit(node)
        if found:
            return found
    return None


def cycles(graph):
    """Cycles until none is left, each broken where it closes; the graph is used up."""
    found = cycle(graph)
    while found:
        yield " -> ".join(found)
        graph[found[-2]].discard(found[-1])
        found = cycle(graph)


def check_daemon(root):
    findings, files, folders = [], {}, {}
    for path in lint.files(root, ["daemon"], (".c", ".h", ".cpp")):
        own = module(path)
        if own not in SEES:
            findings.append(f"{path}: {own} has no place in the layers")
            continue
        for target in INCLUDE.findall((root / path).read_text()):
            if target in GENERATED:
                continue
            if not (root / "daemon" / target).is_file():
                findings.append(f"{path}: \"{target}\" is not written from daemon/")
                continue
            other = module(path.parent.__class__("daemon", target))
            if other != own and other not in SEES[own] and target not in SEES[own]:
                findings.append(f"{path}: {own} may not see \"{target}\"")
            if other != own:
                folders.setdefault(own, set()).add(other)
            files.setdefault(str(path.relative_to("daemon")), set()).add(target)
    for what, graph in (("folders", folders), ("files", files)):
        findings += [f"cycle of {what}: {found}" for found in cycles(graph)]
    return findings


def check_firmware(root):
    """firmware/ is another world: it must not see the daemon, nor its core the simulator."""
    findings = []
    for path in lint.files(root, ["firmware"], (".c", ".h")):
        for target in INCLUDE.findall((root / path).read_text()):
            if target in GENERATED:
                continue
            beside = (root / path).parent / target
            if not (root / "firmware" / target).is_file() and not beside.is_file():
                findings.append(f"{path}: \"{target}\" is not part of the firmware")
            elif path.parts[1] == "core" and target.split("/")[0] in {"sim", "m33", "zephyr"}:
                findings.append(f"{path}: the core may not see \"{target}\"")
    return findings


def check(root):
    return check_daemon(root) + check_firmware(root)


CLEAN = {
    "daemon/base/err.h": "",
    "daemon/base/err.c": '#include "base/err.h"\n',
    "daemon/at/line.h": '#include "base/err.h"\n',
    "daemon/pki/cred.h": '#include "base/err.h"\n',
    "daemon/pki/seal.h": "",
    "daemon/job/job.c": '#include "at/line.h"\n#include "pki/cred.h"\n',
    "daemon/store/store.h": "",
    "daemon/io/port.h": "",
    "daemon/io/port.c": '#include "io/port.h"\n#include "io/port_pty.h"\n',
    "daemon/io/port_pty.h": '#include "io/port.h"\n',
    "daemon/app.h": '#include "store/store.h"\n',
    "daemon/main.c": '#include "app.h"\n#include "version.h"\n',
    "firmware/core/host.c": '#include "core/board.h"\n',
    "firmware/core/board.h": "",
    "firmware/sim/modem.h": '#include "core/board.h"\n',
}
SPOILT = {
    "an include upwards": ({"daemon/base/err.c": '#include "at/line.h"\n'}, "base may not see"),
    "a neighbour's header": ({"daemon/at/line.h": '#include "pki/cred.h"\n'}, "at may not see"),
    "a call from the job into pki": ({"daemon/job/job.c": '#include "pki/seal.h"\n'}, "job may not see"),
    "actors that see each other": ({"daemon/keys/keys.c": '#include "store/store.h"\n'}, "keys may not see"),
    "an unknown folder": ({"daemon/misc/x.c": ""}, "no place"),
    "an include written from elsewhere": ({"daemon/at/a.c": '#include "line.h"\n'}, "not written from"),
    "a cycle of headers": ({"daemon/at/line.h": '#include "at/b.h"\n', "daemon/at/b.h": '#include "at/line.h"\n'},
                           "cycle of files"),
    "a header that includes itself": ({"daemon/at/line.h": '#include "at/line.h"\n'}, "cycle of files"),
    "wiring included from below": ({"daemon/store/x.c": '#include "app.h"\n'}, "cycle of folders"),
    "a firmware that sees the daemon": ({"firmware/sim/x.c": '#include "at/line.h"\n'}, "not part of the firmware"),
    "a core that sees the simulator": ({"firmware/core/host.c": '#include "sim/modem.h"\n'}, "core may not see"),
}

if __name__ == "__main__":
    lint.run(check, CLEAN, SPOILT)
