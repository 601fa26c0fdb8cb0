#!/usr/bin/python3
"""configure.py OUT BOARD CONF…: the application's Kconfig with these fragments, as a header; fails on any warning.

An assignment to a symbol that does not exist, is out of its range or does not keep its value is a warning."""
import os
import sys

import kconfiglib

out, board, *fragments = sys.argv[1:]
os.environ["BOARD"] = board
os.environ["srctree"] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
kconf = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False)
kconf.warn_assign_undef = kconf.warn_assign_override = kconf.warn_assign_redun = True
for number, fragment in enumerate(fragments):
    kconf.load_config(fragment, replace=number == 0)
found = list(kconf.warnings)
for symbol in kconf.unique_defined_syms:
    if symbol.user_value is None:
        continue
    wanted = symbol.user_value
    if symbol.type in (kconfiglib.BOOL, kconfiglib.TRISTATE):
        wanted = {0: "n", 1: "m", 2: "y"}[wanted]
    if symbol.str_value != wanted:
        found.append(f"{symbol.name} was set to {wanted} and is {symbol.str_value}")
for warning in found:
    print(f"{board}: {warning}", file=sys.stderr)
kconf.write_autoconf(out)
sys.exit(1 if found else 0)
