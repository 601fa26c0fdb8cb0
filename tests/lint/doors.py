#!/usr/bin/env python3
"""One door per foreign library: its headers are included there and nowhere else, and from no header of ours."""
import fnmatch
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.path[0] + "/common")
import lint

# Library -> (its headers, the files that may include them).
DOORS = {
    "libserialport": (r"libserialport\.h", ["daemon/io/port_serial.c"]),
    "libsystemd": (r"systemd/.*", ["daemon/io/loop.c", "daemon/io/hotplug_usb.c", "daemon/io/notify.c",
                                   "daemon/io/journal.c"]),
    "SQLite": (r"sqlite3(ext)?\.h", ["daemon/store/*"]),
    "libmicrohttpd": (r"microhttpd\.h", ["daemon/api/http.c"]),
    "jansson": (r"jansson.*\.h", ["daemon/base/json.c", "firmware/sim/*"]),
    "libcsv": (r"csv\.h", ["daemon/exchange/convert_csv.c"]),
    "toml++": (r"toml\+\+/.*|toml\.hpp", ["daemon/config_toml.cpp"]),
    "OpenSSL": (r"openssl/.*", ["daemon/pki/*", "firmware/sim/*"]),
    "libcbor": (r"cbor.*", ["daemon/pki/*"]),
    "libcurl": (r"curl/.*", ["daemon/outbox/*"]),
    "p11-kit": (r"p11-kit.*", ["daemon/pki/*"]),
    "cmocka": (r"cmocka.*", []),
}
INCLUDE = re.compile(r"^\s*#\s*include\s+[<\"]([^>\"]+)[>\"]", re.M)


def check(root):
    findings = []
    for path in lint.files(root, ["daemon", "firmware"], (".c", ".h", ".cpp")):
        for target in INCLUDE.findall((root / path).read_text()):
            for library, (headers, doors) in DOORS.items():
                if not re.fullmatch(headers, target):
                    continue
                if not any(fnmatch.fnmatch(str(path), door) for door in doors):
                    findings.append(f"{path}: {library} is not opened here (<{target}>)")
    return findings


CLEAN = {
    "daemon/io/port_serial.c": "#include <libserialport.h>\n",
    "daemon/store/writer.c": "#include <sqlite3.h>\n",
    "daemon/base/json.c": "#include <jansson.h>\n",
    "daemon/pki/seal.c": "#include <openssl/evp.h>\n",
    "firmware/sim/digest.c": "#include <openssl/evp.h>\n#include <jansson.h>\n",
}
SPOILT = {
    "a second door to libserialport": ({"daemon/io/port_pty.c": "#include <libserialport.h>\n"}, "libserialport"),
    "systemd in the station": ({"daemon/station/x.c": "#include <systemd/sd-event.h>\n"}, "libsystemd"),
    "SQL in the API": ({"daemon/api/x.c": "#include <sqlite3.h>\n"}, "SQLite"),
    "the HTTP library in a handler": ({"daemon/api/routes.c": "#include <microhttpd.h>\n"}, "libmicrohttpd"),
    "jansson's types in a header": ({"daemon/base/json.h": "# include <jansson.h>\n"}, "jansson"),
    "toml++ in the option table": ({"daemon/config.c": "#include <toml++/toml.h>\n"}, "toml++"),
    "cryptography in the job": ({"daemon/job/x.c": "#include <openssl/sha.h>\n"}, "OpenSSL"),
    "test code in the product": ({"daemon/at/x.c": "#include <cmocka.h>\n"}, "cmocka"),
}

if __name__ == "__main__":
    lint.run(check, CLEAN, SPOILT)
