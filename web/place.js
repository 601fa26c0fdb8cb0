// Where somebody is: filters stand in the address, so that they can be sent to somebody else; what only this window cares
// for (how far it is scrolled, how much of a list is shown, which slot is selected) goes with the entry in its history.
// Back, forward and reload lead to the same place.

const SETTLE_MS = 100;
const PATIENCE_MS = 5000; // for what is loaded before the place is there again

export const queryNow = () => Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] ?? ""));

// Those without a value are left out.
export function keepQuery(params) {
    const given = Object.entries(params).filter(([, value]) => value);
    const path = location.hash.split("?")[0] || "#/";
    history.replaceState(history.state, "", given.length > 0 ? `${path}?${new URLSearchParams(given)}` : path);
}

export const kept = (name) => history.state?.[name] ?? null;

export function keep(name, value) {
    if (kept(name) !== value) {
        history.replaceState({ ...history.state, [name]: value }, "");
    }
}

// Keeps how far `box` is scrolled. Returns a function to be called when another page has been put into it.
export function followScrolling(box) {
    let timer = 0;
    let stop = () => {};
    box.addEventListener("scroll", () => {
        clearTimeout(timer);
        timer = setTimeout(() => keep("top", Math.round(box.scrollTop)), SETTLE_MS);
    });
    for (const kind of ["wheel", "pointerdown", "keydown"]) {
        window.addEventListener(kind, () => stop(), { passive: true });
    }

    // As soon as the page has grown long enough, unless somebody moves it first.
    return () => {
        const top = kept("top") ?? 0;
        stop();
        clearTimeout(timer);
        box.scrollTop = 0;
        if (top === 0 || !box.firstElementChild) {
            return;
        }
        const watch = new ResizeObserver(() => {
            if (box.scrollHeight - box.clientHeight >= top) {
                box.scrollTop = top;
                stop();
            }
        });
        const patience = setTimeout(() => stop(), PATIENCE_MS);
        stop = () => {
            watch.disconnect();
            clearTimeout(patience);
            stop = () => {};
        };
        watch.observe(box.firstElementChild);
    };
}
