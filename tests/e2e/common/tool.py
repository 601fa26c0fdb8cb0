"""What the end-to-end tests need beyond a shell. Written apart from the daemon: the same mistake twice would pass.

  bundles DIR                          NDJSON of DIR/*.pem with their *.key
  control SOCKET LINE…                 lines to the boards' control socket, and their answers
  busy LINK                            a pseudo-terminal that this program holds, as a terminal program would, until killed
  watch URL CONDITIONS BOUND [PID SIG] until all hold in one look; the signal goes out at once
  memory URL STATE BUNDLES CA [KIND]   the boards' memory against bundles and records; KIND native: AT#XCMNG wrote it,
                                       signed: boards keep a public key as well
  chain URL                            the events' hashes
  half URL FILE                        an import whose sender leaves in the middle
  secrets BUNDLES PID FILE…            searches files and the process's memory (PID 0: none) for private keys
  sealed STATE                         the private keys as the database has them, sealed: a bundle a line
  erased STATE SEALED                  of those, what was erased stands in no file of the state, and the others do
  stream URL OUT UNTIL [after:ID]      the live stream, an event a line: {"id","event","data"}. Ends when N slots have
                                       passed and N jobs too (until-passed:N), or with the first comment (quiet)
  stalled URL N OUT                    N viewers that never read; writes a line to OUT once all are there

Conditions, with commas between them: event:KIND:N (N events of that kind are on record), new:KIND:N (since
the watch began), step:NAME:N, state:NAME:N and outcome:NAME:N (at least N slots show it).
"""
import base64
import fcntl
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import sys
import termios
import time
import urllib.parse

TAG = 16842753


class Station:
    def __init__(self, url):
        self.link = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc, timeout=30)

    def get(self, path):
        self.link.request("GET", path)
        answer = self.link.getresponse()
        body = answer.read()
        if answer.status != 200:
            sys.exit(f"GET {path}: {answer.status} {body[:300]!r}")
        return json.loads(body)

    def events(self, after=0):
        found = []
        while True:
            page = self.get(f"/api/v1/events?after={after}&limit=1000")["events"]
            if not page:
                return found
            found += page
            after = page[-1]["seq"]

    def jobs(self):
        found, cursor = [], None
        while True:
            more = f"&cursor={urllib.parse.quote(cursor)}" if cursor else ""
            page = self.get(f"/api/v1/jobs?limit=100{more}")
            found += page["jobs"]
            cursor = page["next"]
            if not cursor:
                return found


def bundles(directory):
    for cert in sorted(pathlib.Path(directory).glob("*.pem")):
        print(json.dumps({"id": cert.stem, "product": "tracker", "lot": "L1", "client_cert": cert.read_text(),
                          "private_key": cert.with_suffix(".key").read_text()}))


def open_stream(url, last_id=None):
    link = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc, timeout=60)
    link.request("GET", "/api/v1/stream", headers={"Last-Event-ID": last_id} if last_id else {})
    answer = link.getresponse()
    if answer.status != 200 or answer.headers["Content-Type"] != "text/event-stream":
        sys.exit(f"the stream answers {answer.status} {answer.headers['Content-Type']}")
    return link, answer


def stream_events(answer):
    """(event or None for a comment), as they come."""
    event = {}
    for line in answer:
        line = line.decode().rstrip("\n")
        if line.startswith(":"):
            yield None
        elif line:
            key, _, value = line.partition(": ")
            event[key] = value
        elif event:
            if "event" in event:
                yield {"id": int(event["id"]) if "id" in event else None, "event": event["event"],
                       "data": json.loads(event["data"])}
            event = {}


def stream(url, out, until, *options):
    wanted = int(until.partition(":")[2] or 0)
    last_id = next((o.partition(":")[2] for o in options if o.startswith("after:")), None)
    link, answer = open_stream(url, last_id)
    slots, jobs, is_counted = set(), set(), False
    with open(out, "w") as file:
        for event in stream_events(answer):
            if event is None:
                if until == "quiet":
                    return
                continue
            print(json.dumps(event), file=file, flush=True)
            data = event["data"]
            if event["event"] == "slot" and (data["verdict"] or {}).get("outcome") == "PASS":
                slots.add(data["id"])
            if event["event"] == "job" and data["outcome"] == "PASS":
                jobs.add(data["id"])
            if event["event"] == "order" and data["counts"]["passed"] == wanted:
                is_counted = True
            if wanted and len(slots) >= wanted and len(jobs) >= wanted and is_counted:
                return
    sys.exit("the stream ended")


def stalled(url, count, out):
    held = [open_stream(url) for _ in range(int(count))]
    pathlib.Path(out).write_text(f"{len(held)}\n")
    signal.pause()


def control(path, *lines):
    """The answers, a line each; ends with 1 when one of them is an error."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(path)
        s.sendall("".join(line + "\n" for line in lines).encode())
        s.shutdown(socket.SHUT_WR)
        answers = s.makefile().read().splitlines()
    print("\n".join(answers))
    if len(answers) != len(lines) or any(a.startswith("error") for a in answers):
        sys.exit(1)


def busy(link):
    _, slave = os.openpty()
    fcntl.flock(slave, fcntl.LOCK_EX)
    fcntl.ioctl(slave, termios.TIOCEXCL)
    os.symlink(os.ttyname(slave), link)
    print("held", flush=True)
    signal.pause()


def watch(url, conditions, bound, pid=None, signal_name=None):
    """Slots are looked at anew for all conditions at once; what events have said stays said."""
    wanted = [c.split(":") for c in conditions.split(",")]
    station, end = Station(url), time.monotonic() + float(bound)
    before = max((e["seq"] for e in station.events()), default=0)
    after, events, seen = 0, [], []
    print("watching", flush=True)
    while time.monotonic() < end:
        if any(kind in ("event", "new") for kind, _, _ in wanted):
            events += station.events(after)
            after = events[-1]["seq"] if events else 0
        slots = station.get("/api/v1/slots")["slots"]
        seen = [sum(e["kind"] == name for e in events) if kind == "event" else
                sum(e["kind"] == name and e["seq"] > before for e in events) if kind == "new" else
                sum((s["verdict"] or {}).get("outcome") == name for s in slots) if kind == "outcome" else
                sum(s[kind] == name for s in slots) for kind, name, _ in wanted]
        if all(n >= int(least) for n, (_, _, least) in zip(seen, wanted)):
            if pid:
                os.kill(int(pid), getattr(signal, "SIG" + signal_name))
            return
    sys.exit(f"watched in vain for {conditions}: {seen} so far")


def half(url, name):
    """The file is announced and all but its last octets sent; the daemon has taken them when the sender goes."""
    data = open(name, "rb").read()
    place = urllib.parse.urlparse(url)
    head = (f"POST /api/v1/bundles HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/x-ndjson\r\n"
            f"Content-Length: {len(data)}\r\n\r\n")
    with socket.create_connection((place.hostname, place.port)) as s:
        s.sendall(head.encode() + data[:-10])
        unsent = 1
        while unsent:  # what the kernel has not delivered yet
            unsent = int.from_bytes(fcntl.ioctl(s, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def mapped(place):
    """What AT#XCMNG keeps at this place of the modem, in the product's terms; other places as they are."""
    tag, kind = place
    return (tag // 10, tag % 10) if kind == 0 and tag // 10 == TAG else place


def memory(url, state, bundle_file, ca_file, kind=None):
    station, ca = Station(url), pathlib.Path(ca_file).read_text()
    made = {b["id"]: b for b in map(json.loads, open(bundle_file))}
    owner = {b["private_key"]: b["id"] for b in made.values()}
    last, passed, wrong, keys = {}, 0, [], {}
    for job in sorted(station.jobs(), key=lambda j: (j["started"], j["id"])):
        if job["imei"] and job["bundle"]:
            last[job["imei"]] = job
    for board in json.load(open(state))["boards"]:
        imei, slot = board["imei"], board["slot"]
        held = {(e["sec_tag"], e["type"]): e["content"] for e in board["entries"]}
        if kind == "native":
            held = {mapped(place): content for place, content in held.items()}
        elif kind == "signed":  # the owner's public key
            held = {place: content for place, content in held.items() if place[1] != 5}
        key = held.get((TAG, 2))
        if key is not None:
            keys.setdefault(key, []).append(imei)
            if key in owner and (imei not in last or last[imei]["bundle"] != owner[key]):
                wrong.append(f"{slot}: holds the key of {owner[key]}, which no job of {imei} was given")
        job = last.get(imei)
        if not job or job["outcome"] != "PASS":
            continue
        passed += 1
        bundle = made[job["bundle"]]
        wanted = {(TAG, 0): ca, (TAG, 1): bundle["client_cert"], (TAG, 2): bundle["private_key"]}
        if held != wanted:
            different = [k for k in wanted.keys() | held.keys() if wanted.get(k) != held.get(k)]
            wrong.append(f"{slot}: passed with {bundle['id']}, but differs in {different}")
    wrong += [f"one key on {boards}" for boards in keys.values() if len(set(boards)) > 1]
    if wrong:
        sys.exit("\n".join(wrong))
    print(passed)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def chain(url):
    before, number = bytes(32), 0
    events = Station(url).events()
    for e in events:
        text = canonical({k: e[k] for k in ("at", "data", "imei", "kind", "seq", "slot")})
        before = hashlib.sha256(before + text).digest()
        if before.hex() != e["hash"].lower() or e["seq"] != number + 1:
            sys.exit(f"event {e['seq']} does not fit behind event {number}")
        number = e["seq"]
    print(number)


# --- secrets ----------------------------------------------------------------------------------------------------------

WORD = 8  # octets that are compared at once; a search finds whatever is at least 15 octets long
SLICE = 1 << 24  # of memory, searched at a time


def der_integers(der):
    """The contents of every INTEGER and OCTET STRING, with their offsets, from the inside out."""
    found = []

    def walk(at, end):
        while at < end:
            tag, size, at = der[at], der[at + 1], at + 2
            if size & 0x80:
                n = size & 0x7F
                size, at = int.from_bytes(der[at:at + n], "big"), at + n
            if at + size > end:
                raise ValueError
            if tag & 0x20:
                walk(at, at + size)
            elif tag in (0x02, 0x04):
                inner = len(found)
                if tag == 0x04:
                    try:
                        walk(at, at + size)
                    except (ValueError, IndexError):
                        del found[inner:]
                if len(found) == inner:
                    found.append((at, size))
            at += size

    walk(0, len(der))
    return found


def secret_numbers(der):
    """(offset, length) of what must stay secret in a PKCS#8 key: an EC scalar; of RSA all but modulus and exponent."""
    numbers = [(at, size) for at, size in der_integers(der) if size >= 32]
    return numbers if len(numbers) == 1 else numbers[1:]


class Secrets:
    """Every 8 octets in a row of each secret number, as octets in either order (libraries keep numbers with the low end
    first), as hexadecimal, and as base64. Data are then looked at in steps of 8: of 15 octets in a row, one such step
    holds 8. Random octets are one of these words by chance once in 10^9 gigabytes."""

    def __init__(self, bundle_file):
        self.words = {}
        for b in map(json.loads, open(bundle_file)):
            body = "".join(line for line in b["private_key"].splitlines() if not line.startswith("-"))
            der = base64.b64decode(body)
            numbers = secret_numbers(der)
            assert numbers, "no secret numbers in a key"
            for at, n in numbers:
                number = der[at:at + n].lstrip(b"\0")
                self.add(b["id"], "octets", number)
                self.add(b["id"], "octets, low end first", number[::-1])
                self.add(b["id"], "hexadecimal", number.hex().encode())
                self.add(b["id"], "HEXADECIMAL", number.hex().upper().encode())
                first, last = -(-at * 4 // 3), (at + n) * 4 // 3  # whole characters within the number
                for line in range(0, len(body), 64):
                    self.add(b["id"], "base64", body[max(first, line):min(last, line + 64)].encode())

    def add(self, who, how, text):
        for i in range(len(text) - WORD + 1):
            self.words[int.from_bytes(text[i:i + WORD], sys.byteorder)] = f"{how} of {who}'s key"

    def find(self, data):
        """(offset, what) of at most a few places."""
        view = memoryview(data)[:len(data) // WORD * WORD].cast("Q")
        if self.words.keys().isdisjoint(view):
            return []
        return [(i * WORD, self.words[word]) for i, word in enumerate(view) if word in self.words][:5]


def regions(pid):
    """The readable regions of a process that are in memory: (start, end, name). What the sanitizer keeps of each octet
    (its shadow) holds no octet itself and is larger than any disk."""
    region, maps = None, []
    shadow = (0x7FFF7000, 0x10007FFF8000)
    text = open(f"/proc/{pid}/smaps").read()
    is_sanitized = "libasan" in text
    for line in text.splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
        if head:
            region = (int(head[1], 16), int(head[2], 16), head[3], head[4])
        elif line.startswith(("Rss:", "Swap:")) and int(line.split()[1]) > 0 and "r" in region[2]:
            is_shadow = is_sanitized and region[0] >= shadow[0] and region[1] <= shadow[1]
            if not is_shadow and region not in maps and region[3] not in ("[vvar]", "[vsyscall]"):
                maps.append(region)
    return [(start, end, name) for start, end, _, name in maps]


def search_process(search, pid):
    findings, looked = [], 0
    for name in ("cmdline", "environ"):
        findings += [f"{name}: {what}" for _, what in search.find(open(f"/proc/{pid}/{name}", "rb").read())]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for start, end, name in regions(pid):
            for at in range(start, end, SLICE):
                try:
                    mem.seek(at)
                    data = mem.read(min(SLICE, end - at))
                except OSError:  # a device's, or memory that even root may not read
                    continue
                looked += len(data)
                for where, what in search.find(data):
                    around = data[max(0, where - 32):where + 64]
                    findings.append(f"memory {at + where:x} ({name or 'heap or stack'}): {what}: {around!r}")
    if looked < 1 << 20:
        sys.exit(f"only {looked} octets of the process could be read")
    return looked, findings


def secrets(bundle_file, pid, *files):
    search, findings, in_files, in_memory = Secrets(bundle_file), [], 0, 0
    for b in map(json.loads, open(bundle_file)):
        if not search.find(b["private_key"].encode()):
            sys.exit(f"the search does not even find {b['id']}'s key where it is")
    for name in filter(os.path.isfile, files):  # sockets lie there as well
        data = open(name, "rb").read()
        in_files += len(data)
        findings += [f"{name}+{at}: {what}" for at, what in search.find(data)]
    if int(pid):
        in_memory, more = search_process(search, pid)
        findings += more
    if findings:
        sys.exit("\n".join(findings[:40]) + f"\n{len(findings)} places")
    print(f"searched {in_files} octets of files and {in_memory} of memory for {len(search.words)} pieces of keys")


def sealed_keys(state):
    database = sqlite3.connect(f"file:{state}/certline.db?mode=ro", uri=True)
    return dict(database.execute("SELECT b.id, c.sealed FROM credential c JOIN bundle b ON b.no = c.bundle WHERE c.type = 2"))


def sealed(state):
    for bundle, octets in sealed_keys(state).items():
        print(bundle, octets.hex())


def erased(state, sealed_file):
    now, counts = sealed_keys(state), {True: 0, False: 0}
    files = [p.read_bytes() for p in pathlib.Path(state).iterdir() if p.is_file()]
    for line in open(sealed_file):
        bundle, text = line.split()
        octets = bytes.fromhex(text)
        is_erased = now[bundle] == b""
        counts[is_erased] += 1
        for at in range(81, len(octets) - 32, 32):  # behind the header: what the key itself became
            if is_erased and any(octets[at:at + 32] in data for data in files):
                sys.exit(f"the sealed key of {bundle} is erased and still stands in a file")
        if not is_erased and not any(octets[81:113] in data for data in files):
            sys.exit(f"the search does not find the sealed key of {bundle} where it is")
    if not counts[True]:
        sys.exit("no key was erased")
    print(f"{counts[True]} keys are erased, {counts[False]} are still there")


if __name__ == "__main__":
    {f.__name__: f for f in (bundles, control, busy, watch, half, memory, chain, secrets, sealed, erased, stream, stalled)}[sys.argv[1]](*sys.argv[2:])
