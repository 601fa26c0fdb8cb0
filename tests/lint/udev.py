#!/usr/bin/env python3
"""The udev rules do what they are for: each board of the table in io/usb_kind.c is kept from ModemManager, as a device and
at each of its ports, the ports are for their group, and no other device is touched.

Reads the few keys and operators that the rules use, as udev(7) has them, and nothing else: what is misspelt is a finding.
Where udevadm can verify a file (systemd 254 and later) it is asked as well."""
import fnmatch
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.path[0] + "/common")
import lint

RULES = "systemd/certline.rules"
TABLE = "daemon/io/usb_kind.c"
VENDORS = {"PROBE": "1366", "NORDIC": "1915"}
ROW = re.compile(r'\{(\w+), (ANY|0x[0-9A-F]{4}), "([^"]*)", (\w+)\}')

TOKEN = re.compile(r'(\w+)(?:\{(\w+)\})?(==|!=|=)"([^"]*)"')
MATCHES = {"ACTION", "SUBSYSTEM", "SUBSYSTEMS", "ENV", "ATTRS"}
ASSIGNS = {"GOTO", "LABEL", "ENV", "GROUP", "MODE"}

IGNORED_DEVICE = {"ID_MM_DEVICE_IGNORE": "1", "ID_MM_PORT_IGNORE": "1"}
IGNORED_PORT = IGNORED_DEVICE | {"GROUP": "dialout", "MODE": "0660"}


class Wrong(Exception):
    pass


def parse(text):
    """A list of rules; a rule is a list of (key, attribute, operator, value)."""
    rules = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        rule = []
        for part in re.split(r",\s*", line.strip()):
            token = TOKEN.fullmatch(part)
            if not token or token[1] not in (ASSIGNS if token[3] == "=" else MATCHES):
                raise Wrong(f"{RULES}:{number}: {part}")
            rule.append(token.groups())
        rules.append(rule)
    return rules


def is_match(value, patterns):
    return any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns.split("|"))


def holds(rule, device):
    """All of a rule's conditions. ATTRS and SUBSYSTEMS must hold at one and the same device of the chain upwards."""
    upwards = []
    for key, attribute, operator, value in rule:
        if operator == "=":
            continue
        if key in ("ATTRS", "SUBSYSTEMS"):
            upwards.append((key, attribute, operator, value))
            continue
        seen = device["env"].get(attribute, "") if key == "ENV" else device[key]
        if is_match(seen, value) != (operator == "=="):
            return False
    return not upwards or any(
        all(is_match(link["SUBSYSTEM"] if key == "SUBSYSTEMS" else link["attributes"].get(attribute, ""), value)
            == (operator == "==") for key, attribute, operator, value in upwards)
        for link in device["chain"])


def run(rules, device):
    """What the rules have given to the device."""
    given, wanted = {}, None
    for rule in rules:
        labels = [value for key, _, operator, value in rule if key == "LABEL" and operator == "="]
        if wanted and wanted not in labels:
            continue
        wanted = None
        if not holds(rule, device):
            continue
        for key, attribute, operator, value in rule:
            if operator == "=" and key == "GOTO":
                wanted = value
            elif operator == "=" and key != "LABEL":
                given[attribute or key] = value
    if wanted:
        raise Wrong(f"{RULES}: there is no label {wanted}")
    return given


def usb_device(vendor, product, serial, action="add"):
    board = {"SUBSYSTEM": "usb", "attributes": {"idVendor": vendor, "idProduct": product, "serial": serial}}
    return {"ACTION": action, "SUBSYSTEM": "usb", "env": {"DEVTYPE": "usb_device"}, "chain": [board]}


def port_of(board):
    interface = {"SUBSYSTEM": "usb", "attributes": {"bInterfaceNumber": "00"}}
    tty = {"SUBSYSTEM": "tty", "attributes": {}}
    return board | {"SUBSYSTEM": "tty", "env": {}, "chain": [tty, interface] + board["chain"]}


def boards(table):
    """One device for each row of the daemon's table, with a product number that nobody knows where any will do."""
    for vendor, product, serial, model in ROW.findall(table):
        yield model, VENDORS[vendor], "7777" if product == "ANY" else product[2:].lower(), serial and serial + "12345"


STRANGERS = [
    ("another kit with a probe", "1366", "0105", "000683012345"),
    ("another device of Nordic's", "1915", "520f", "F00D"),
    ("a bridge", "10c4", "ea60", "001051212345"),
    ("a modem of another make", "2c7c", "0125", ""),
]


def expect(findings, who, rules, device, wanted):
    given = run(rules, device)
    if given != wanted:
        findings.append(f"{RULES}: {who} ({device['SUBSYSTEM']}, {device['ACTION']}): {given} in place of {wanted}")


def check(root):
    findings = []
    try:
        rules = parse((root / RULES).read_text())
        found = list(boards((root / TABLE).read_text()))
        if not found:
            findings.append(f"{TABLE}: no boards")
        for model, vendor, product, serial in found:
            board = usb_device(vendor, product, serial)
            expect(findings, model, rules, board, IGNORED_DEVICE)
            expect(findings, model, rules, port_of(board), IGNORED_PORT)
            expect(findings, model, rules, port_of(usb_device(vendor, product, serial, "change")), IGNORED_PORT)
            expect(findings, model, rules, port_of(usb_device(vendor, product, serial, "remove")), {})
            expect(findings, f"{model}'s interface", rules, board | {"env": {"DEVTYPE": "usb_interface"}}, {})
        for who, vendor, product, serial in STRANGERS:
            expect(findings, who, rules, port_of(usb_device(vendor, product, serial)), {})
    except Wrong as wrong:
        findings.append(str(wrong))
    return findings + verified(root / RULES)


def verified(path):
    udevadm = shutil.which("udevadm")
    if not udevadm or subprocess.run([udevadm, "verify", "--help"], capture_output=True).returncode != 0:
        return []
    told = subprocess.run([udevadm, "verify", str(path)], capture_output=True, text=True)
    return [f"{RULES}: udevadm verify: {line}" for line in told.stderr.splitlines()] if told.returncode else []


TABLE_OF_ONE = '    {PROBE, ANY, "0009600", NRF9160_DK},\n'
GOOD = ('ACTION=="remove", GOTO="end"\nSUBSYSTEM=="usb", ENV{DEVTYPE}!="usb_device", GOTO="end"\n'
        'ATTRS{idVendor}=="1366", ATTRS{serial}=="0009600*|X", ENV{ID_MM_DEVICE_IGNORE}="1", ENV{ID_MM_PORT_IGNORE}="1"\n'
        'SUBSYSTEM=="tty", ATTRS{serial}=="0009600*", GROUP="dialout", MODE="0660"\nLABEL="end"\n')
CLEAN = {TABLE: TABLE_OF_ONE, RULES: GOOD}
SPOILT = {
    "a board without a rule": ({TABLE: TABLE_OF_ONE + '    {NORDIC, 0x9100, "", THINGY91},\n'}, "THINGY91"),
    "a key that does not exist": ({RULES: GOOD.replace("ATTRS{serial}", "ATTR5{serial}")}, "certline.rules:3"),
    "a comparison that assigns": ({RULES: GOOD.replace('ACTION==', 'ACTION=')}, "certline.rules:1"),
    "a missing comma": ({RULES: GOOD.replace('"dialout", ', '"dialout" ')}, "certline.rules:4"),
    "a label that is not there": ({RULES: GOOD.replace('LABEL="end"', 'LABEL="ende"')}, "no label end"),
    "a rule for everybody": ({RULES: GOOD.replace('ATTRS{idVendor}=="1366", ATTRS{serial}=="0009600*|X", ', "")},
                             "another kit"),
    "ports for nobody": ({RULES: GOOD.replace("0660", "0600")}, "NRF9160_DK (tty"),
}

if __name__ == "__main__":
    lint.run(check, CLEAN, SPOILT)
