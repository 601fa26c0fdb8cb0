// A real station for the browser to look at: certlined and certline-sim in a folder of their own, with bundles for every
// board. Nothing here waits for a time: every wait is for a condition and has a bound beyond which it has failed.
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const BOUND_MS = 120_000;
const { CERTLINED, CERTLINE_SIM } = process.env;

export async function until(what, condition, bound = BOUND_MS) {
    const end = Date.now() + bound;
    for (;;) {
        const value = await condition();
        if (value) {
            return value;
        }
        if (Date.now() > end) {
            throw new Error(`waited in vain for ${what}`);
        }
        await pause(20);
    }
}

const three = (n) => String(n).padStart(3, "0");

async function makeBundle(dir, n) {
    const key = join(dir, `${n}.key`);
    const { stdout: cert } = await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "3650", "-subj", `/O=Example/CN=board-${n}`, "-keyout", key]);
    return JSON.stringify({ id: `b-${three(n)}`, product: "tracker", lot: "2026-W47", client_cert: cert, private_key: readFileSync(key, "utf8") });
}

async function makeBundles(dir, n) {
    const rows = [];
    let next = 1;
    const work = async () => {
        while (next <= n) {
            const mine = next++;
            rows[mine - 1] = await makeBundle(dir, mine);
        }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, work));
    return rows;
}

function config({ dir, port, racks, name }) {
    const named = (rack) => rack.names.map((slot, i) => `
  [[fixture.slot]]
  name = "${slot}"
  port = "${dir}/${rack.name}/slot${three(i + 1)}"`).join("");
    const fixtures = racks.map((rack) => `
[[fixture]]
name = "${rack.name}"
columns = ${rack.columns}
start = "${rack.start ?? "plug"}"
baud = ${rack.baud ?? 115200}
${rack.names ? named(rack) : `ports = "${dir}/${rack.name}/slot*"`}`).join("\n");
    const entry = (type, from) => `
[[product.entry]]
sec_tag = 16842753
type = "${type}"
${from}`;
    return `[station]
name = "${name}"
state_dir = "${dir}/state"
[http]
listen = ["127.0.0.1:${port}"]
${fixtures}
[[product]]
name = "tracker"
source = "pool"
${entry("ca", `from = "file"\nfile = "${dir}/ca.pem"`)}
${entry("client_cert", 'from = "bundle"')}
${entry("private_key", 'from = "bundle"')}
`;
}

export class Station {
    // racks: [{name, boards, columns, start, baud, faults: ["cut:400/3"], names: of slots, else by number}]; bundles: how many are made.
    constructor({ racks, bundles, name = "SZ-L3-PRV-02" }) {
        this.dir = mkdtempSync(join(tmpdir(), "certline-web."));
        this.racks = racks;
        this.name = name;
        this.nBundles = bundles ?? racks.reduce((sum, rack) => sum + rack.boards, 0);
        this.port = 0;
        this.daemon = null;
        this.sims = new Map();
        mkdirSync(join(this.dir, "state"), { mode: 0o700 });
        racks.forEach((rack) => mkdirSync(join(this.dir, rack.name)));
    }

    async prepare() {
        await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
            "-subj", "/CN=Example CA", "-keyout", join(this.dir, "ca.key"), "-out", join(this.dir, "ca.pem")]);
        this.bundles = await makeBundles(this.dir, this.nBundles);
    }

    get url() {
        return `http://127.0.0.1:${this.port}`;
    }

    // The port is the kernel's choice at first and stays for later starts.
    async startDaemon() {
        writeFileSync(join(this.dir, "config.toml"), config(this));
        const log = join(this.dir, "daemon.log");
        writeFileSync(log, "");
        const out = openSync(log, "a");
        this.daemon = spawn(CERTLINED, ["serve", "-c", join(this.dir, "config.toml")], { stdio: ["ignore", out, out] });
        await until("the station", async () => {
            if (this.daemon.exitCode !== null) {
                throw new Error(`certlined ended:\n${readFileSync(log, "utf8")}`);
            }
            this.port = Number(/dashboard and API on .* \(port (\d+)\)/.exec(readFileSync(log, "utf8"))?.[1] ?? 0);
            return this.port > 0 && (await fetch(`${this.url}/readyz`).catch(() => null))?.ok;
        });
    }

    async endDaemon(signal = "SIGTERM") {
        if (this.daemon) {
            const gone = new Promise((resolve) => this.daemon.once("exit", resolve));
            this.daemon.kill(signal);
            await gone;
            this.daemon = null;
        }
    }

    async startBoards(rack, more = []) {
        const faults = (rack.faults ?? []).flatMap((fault) => ["--fault", fault]);
        const log = join(this.dir, `${rack.name}.log`);
        const out = openSync(log, "w");
        const sim = spawn(CERTLINE_SIM, ["--dir", join(this.dir, rack.name), "--boards", rack.boards, "--baud", rack.baud ?? 115200,
            "--control", join(this.dir, `${rack.name}.sock`),
            "--imei0", 35146580000000 + 10000 * this.racks.indexOf(rack), ...faults, ...more].map(String), { stdio: ["ignore", out, out] });
        this.sims.set(rack.name, sim);
        await until("the boards", () => /^ready/m.test(readFileSync(log, "utf8")));
    }

    // One line to the boards' control socket.
    control(rack, line) {
        return new Promise((resolve, reject) => {
            const link = connect(join(this.dir, `${rack}.sock`));
            let text = "";
            link.on("data", (data) => { text += data; });
            link.on("end", () => resolve(text.trim()));
            link.on("error", reject);
            link.end(`${line}\n`);
        }).then((answer) => {
            if (answer.startsWith("error")) {
                throw new Error(`${line}: ${answer}`);
            }
            return answer;
        });
    }

    async api(path, { method = "GET", body, type = "application/json" } = {}) {
        const answer = await fetch(this.url + path, { method, body, headers: body === undefined ? {} : { "Content-Type": type } });
        return { status: answer.status, body: await answer.json() };
    }

    import(rows = this.bundles) {
        return this.api("/api/v1/bundles", { method: "POST", body: `${rows.join("\n")}\n`, type: "application/x-ndjson" });
    }

    openOrder(id, quantity, fixtures) {
        return this.api(`/api/v1/work-orders/${encodeURIComponent(id)}`, { method: "PUT", body: JSON.stringify({ product: "tracker", quantity, fixtures, lot: "2026-W47" }) });
    }

    async slots() {
        return (await this.api("/api/v1/slots")).body.slots;
    }

    async end() {
        for (const sim of this.sims.values()) {
            sim.kill("SIGKILL");
        }
        this.daemon?.kill("SIGKILL");
        this.daemon = null;
        rmSync(this.dir, { recursive: true, force: true });
    }
}
