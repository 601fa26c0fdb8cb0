// SHA-256 (FIPS 180-4) that takes its octets in pieces, of files that are larger than a browser should hold. What browsers
// have themselves takes all at once, and is there for secure addresses only, which a station in a plant's network has not.

const primes = [];
for (let n = 2; primes.length < 64; n++) {
    if (primes.every((p) => n % p !== 0)) {
        primes.push(n);
    }
}
const fraction = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32) | 0;
const ROUNDS = Int32Array.from(primes, (p) => fraction(Math.cbrt(p)));
const START = Int32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p)));

const turned = (x, n) => (x >>> n) | (x << (32 - n));

function compress(state, w, view, at) {
    for (let i = 0; i < 16; i++) {
        w[i] = view.getInt32(at + 4 * i);
    }
    for (let i = 16; i < 64; i++) {
        const [x, y] = [w[i - 15], w[i - 2]];
        w[i] = w[i - 16] + (turned(x, 7) ^ turned(x, 18) ^ (x >>> 3)) + w[i - 7] + (turned(y, 17) ^ turned(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
        const t = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i] + w[i]) | 0;
        const u = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g;
        g = f;
        f = e;
        e = (d + t) | 0;
        d = c;
        c = b;
        b = a;
        a = (t + u) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((x, i) => { state[i] += x; });
}

// {add(octets), hex()}; hex ends it.
export function sha256() {
    const state = START.slice();
    const w = new Int32Array(64);
    const rest = new Uint8Array(64);
    let held = 0; // octets in `rest`
    let all = 0;

    function add(octets) {
        let at = 0;
        all += octets.length;
        if (held > 0) {
            at = Math.min(64 - held, octets.length);
            rest.set(octets.subarray(0, at), held);
            held += at;
            if (held < 64) {
                return;
            }
            compress(state, w, new DataView(rest.buffer), 0);
        }
        const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
        for (; at + 64 <= octets.length; at += 64) {
            compress(state, w, view, at);
        }
        rest.set(octets.subarray(at));
        held = octets.length - at;
    }

    function hex() {
        const end = new Uint8Array((held < 56 ? 64 : 128) - held);
        const bits = all * 8;
        end[0] = 0x80;
        const view = new DataView(end.buffer);
        view.setUint32(end.length - 8, Math.floor(bits / 2 ** 32));
        view.setUint32(end.length - 4, bits >>> 0);
        add(end);
        return [...state].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
    }

    return { add, hex };
}
