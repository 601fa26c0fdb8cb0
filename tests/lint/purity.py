#!/usr/bin/env python3
"""at/ and job/ are pure: linked together with the parts of base they use, they ask the outside world for nothing but
moving octets about and comparing them. No file, clock, heap, log or printf can hide from the linker."""
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, sys.path[0] + "/common")
import lint

# <string.h> without what keeps state (strtok), allocates (strdup) or asks the locale (strcoll, strerror …).
ALLOWED = set("""
    memcpy memmove memset memcmp memchr memrchr
    strlen strnlen strcmp strncmp strcasecmp strncasecmp strchr strchrnul strrchr strstr strspn strcspn strpbrk
    strcpy strncpy strcat strncat stpcpy stpncpy
    __assert_fail
""".split())
FLAGS = ["-std=c17", "-D_GNU_SOURCE=", "-O1", "-w", "-fno-stack-protector", "-U_FORTIFY_SOURCE", "-fno-pic", "-fno-pie"]


def call(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()[:2000]}")
    return done.stdout


def compile_all(root, folder, out):
    objects = []
    for path in lint.files(root, [f"daemon/{folder}"], (".c",)):
        target = f"{out}/{folder}_{path.stem}.o"
        call("gcc", *FLAGS, "-I", root / "daemon", "-c", root / path, "-o", target)
        objects.append(target)
    return objects


def undefined(objects):
    lines = (line.split() for line in call("nm", "--undefined-only", "--no-sort", objects).splitlines())
    return {words[-1] for words in lines if words}


def askers(objects, symbol):
    return ", ".join(sorted(os.path.basename(o).replace("_", "/", 1) for o in objects if symbol in undefined(o)))


def check(root):
    with tempfile.TemporaryDirectory() as out:
        try:
            pure = compile_all(root, "at", out) + compile_all(root, "job", out)
            if not pure:
                return ["neither at/ nor job/ has a source"]
            base = compile_all(root, "base", out)
            if base:
                call("ar", "rcs", f"{out}/base.a", *base)
            call("ld", "-r", "-o", f"{out}/all", *pure, *([f"{out}/base.a"] if base else []))
            return [f"{symbol} is left undefined, by {askers(pure + base, symbol)}"
                    for symbol in sorted(undefined(f"{out}/all") - ALLOWED)]
        except RuntimeError as failure:
            return [str(failure)]


CLEAN = {
    "daemon/base/buf.h": "int put(char *);\n",
    "daemon/base/buf.c": '#include "base/buf.h"\n#include <string.h>\nint put(char *p) { return (int)strlen(p); }\n',
    "daemon/base/clock.c": "#include <time.h>\nlong now(void) { return time(0); }\n",
    "daemon/at/line.c": '#include "base/buf.h"\nint line(char *p) { return put(p); }\n',
    "daemon/job/job.c": "#include <assert.h>\nint line(char *);\nint job(char *p) { assert(p); return line(p); }\n",
}
SPOILT = {
    "a heap": ({"daemon/at/x.c": "#include <stdlib.h>\nvoid *x(int n) { return malloc(n); }\n"}, "malloc"),
    "printf": ({"daemon/job/x.c": '#include <stdio.h>\nint x(int n) { return printf("%d", n); }\n'}, "printf"),
    "a clock reached through base": ({"daemon/job/x.c": "long now(void);\nlong x(void) { return now(); }\n"}, "time"),
    "a function of the station": ({"daemon/job/x.c": "int station(void);\nint x(void) { return station(); }\n"}, "station"),
    "a file": ({"daemon/at/x.c": "#include <unistd.h>\nint x(void) { return (int)write(1, \"\", 0); }\n"}, "write"),
    "errno": ({"daemon/at/x.c": "#include <errno.h>\nint x(void) { return errno; }\n"}, "errno"),
}

if __name__ == "__main__":
    lint.run(check, CLEAN, SPOILT)
