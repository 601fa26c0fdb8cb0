#!/usr/bin/env python3
"""Every answer is as the API's own description says: status, content type, and the body against its schema.

Without arguments it runs the HTTP tests' programs, which note each answer they get, and checks those. With `live URL` it
asks a running station for everything there is to GET, and for what is wrong in every way that is described."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

try:
    import jsonschema
except ImportError:
    print("SKIPPED: python3-jsonschema is not there")
    sys.exit(77)

SOURCE = pathlib.Path(os.environ["SOURCE_DIR"])
DOCUMENT = json.loads((SOURCE / "daemon/api/openapi.json").read_text())
PROGRAMS = ["test_http", "test_http_live", "test_http_abuse"]


class Description:
    def __init__(self, document):
        self.document = document
        self.checked = {}
        self.findings = []
        self.paths = [(re.compile("^" + re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)) + "$"), path)
                      for path in document["paths"]]
        self.paths.sort(key=lambda row: row[1].count("{"))  # "/stock" before "/{id}"

    def deref(self, part):
        while "$ref" in part:
            target = self.document
            for key in part["$ref"][2:].split("/"):
                target = target[key]
            part = target
        return part

    def operation(self, method, target):
        path = urllib.parse.urlsplit(target).path.replace("%2F", "/").replace("%2f", "/")
        for pattern, name in self.paths:
            if pattern.match(path):
                return name, self.document["paths"][name].get(method.lower().replace("head", "get"))
        return None, None

    def media(self, operation, status):
        """The response that is described for the status: {content type: schema}."""
        responses = operation["responses"] if operation else {}
        problem = {"$ref": "#/components/responses/Problem"}
        response = self.deref(responses.get(str(status)) or (problem if status >= 400 else {}))
        return {kind: row["schema"] for kind, row in response["content"].items()} if "content" in response else None

    def check(self, method, target, status, kind, body):
        name, operation = self.operation(method, target)
        where = f"{method} {target}: {status}"
        if operation is None and status < 400:
            if not target.startswith("/api/") and "." in target or target == "/":
                return  # one of the dashboard's files
            self.findings.append(f"{where}: not described")
            return
        if status == 304:
            return
        media = self.media(operation, status)
        if media is None:
            self.findings.append(f"{where}: a status that is not described")
            return
        kind = kind.partition(";")[0]
        schema = media.get(kind, media.get("*/*"))
        if schema is None:
            self.findings.append(f"{where}: {kind} in place of {', '.join(media)}")
            return
        self.checked.setdefault((name, method, status), 0)
        self.checked[name, method, status] += 1
        if kind.endswith("json") and method != "HEAD":
            self.check_body(where, schema, body)

    def check_body(self, where, schema, body):
        whole = {**schema, "components": self.document["components"]}
        try:
            value = json.loads(body)
        except ValueError as e:
            self.findings.append(f"{where}: {e}")
            return
        for error in jsonschema.Draft202012Validator(whole).iter_errors(value):
            error = jsonschema.exceptions.best_match([error])
            self.findings.append(f"{where}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")


def check_recorded(description):
    folder = pathlib.Path(os.environ["CERTLINED"]).parent / "tests"
    programs = [folder / name for name in PROGRAMS if (folder / name).exists()]
    if not programs:
        print("SKIPPED: the tests' programs are not built")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as work:
        for program in programs:
            note = pathlib.Path(work, program.name)
            done = subprocess.run([program], env={**os.environ, "ANSWERS": str(note)}, capture_output=True, text=True)
            if done.returncode != 0:
                print(done.stdout[-3000:], done.stderr[-3000:])
                sys.exit(f"{program.name} failed")
            for line in note.read_text().splitlines():
                row = json.loads(line)
                method, target = row["asked"].split(" ", 1)
                description.check(method, target, row["status"], row["type"], row["body"])


def ask(url, method, target, body=None, headers=None):
    request = urllib.request.Request(url + target, method=method, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers.get("Content-Type", ""), answer.read().decode()


def check_live(description, url):
    def get(target):
        status, kind, body = ask(url, "GET", target)
        description.check("GET", target, status, kind, body)
        return json.loads(body) if kind.endswith("json") else None

    slots = get("/api/v1/slots")["slots"]
    jobs = get("/api/v1/jobs?limit=1000")["jobs"]
    orders = get("/api/v1/work-orders")["work_orders"]
    known = {"/api/v1/slots/{fixture}/{name}": [f"/api/v1/slots/{slot['id']}" for slot in slots],
             "/api/v1/jobs/{id}": [f"/api/v1/jobs/{job['id']}" for job in jobs],
             "/api/v1/boards/{id}": [f"/api/v1/boards/{imei}" for imei in {job["imei"] for job in jobs} - {None}],
             "/api/v1/work-orders/{id}": [f"/api/v1/work-orders/{order['id']}" for order in orders],
             "/api/v1/work-orders/{id}/yield": [f"/api/v1/work-orders/{order['id']}/yield" for order in orders],
             "/api/v1/exports/{id}": ["/api/v1/exports/devinfo"],
             "/problems/{id}": ["/problems/bytes_lost", "/problems/wrong_host"]}
    for path, methods in description.document["paths"].items():
        if "get" not in methods or path.endswith("/stream"):
            continue
        for target in known.get(path, [path]):
            get(target)
        if "{id}" in path:
            get(path.replace("{id}", "none-of-that-name"))
        get(f"{path.replace('{id}', 'x').replace('{fixture}/{name}', 'x/y')}?unknown=1")
    get("/api/v1/events?limit=1000")
    get("/api/v1/jobs?outcome=NONSENSE")
    for path, methods in description.document["paths"].items():
        for method in set(methods) & {"post", "put"}:
            target = path.replace("{id}", "none").replace("{fixture}/{name}", "no/such")
            for body, kind in ((b"{", "application/json"), (b"{}", "application/json"), (b"x", "text/plain")):
                if path != "/api/v1/audit/verify" or body != b"{}":
                    description.check(method.upper(), target, *ask(url, method.upper(), target, body,
                                                                   {"Content-Type": kind}))
    for _ in range(2):
        description.check("POST", "/api/v1/audit/verify", *ask(url, "POST", "/api/v1/audit/verify", b"{}",
                                                               {"Content-Type": "application/json"}))
    description.check("DELETE", "/api/v1/slots", *ask(url, "DELETE", "/api/v1/slots"))
    get("/nowhere")


def main():
    description = Description(DOCUMENT)
    if sys.argv[1:2] == ["live"]:
        check_live(description, sys.argv[2])
    else:
        check_recorded(description)
    for finding in dict.fromkeys(description.findings):
        print(finding)
    total = sum(description.checked.values())
    print(f"{total} answers of {len(description.checked)} kinds checked, {len(description.findings)} findings")
    if description.findings or total == 0:
        sys.exit(1)


if __name__ == "__main__":
    main()
