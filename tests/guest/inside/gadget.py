"""Boards on a real USB bus: one gadget each, whose AT port is tied to a simulated board's pseudo-terminal.

  gadget.py TABLE        until killed; prints "ready", and "plugged NAME" and "pulled NAME"

TABLE has a board a line: NAME UDC VENDOR PRODUCT SERIAL FUNCTIONS LINK. Functions make the interfaces, in this order:
  storage   a mass storage without a medium (one interface)
  at        a serial port, tied to what LINK leads to (two interfaces, as are all serial ports)
  log       a serial port that tells how the board boots and takes whatever it is told
  mute      a serial port that nobody reads: what is written there stays in the host's driver

A gadget is plugged in while LINK is there, and pulled at once when its pseudo-terminal hangs up: so the simulator's own
commands and faults (unplug, plug, move, unplug@byte) act on the cable. What the board does not take stays with the host.
"""
import os
import pathlib
import select
import sys
import tty

GADGETS = pathlib.Path("/sys/kernel/config/usb_gadget")
PIECE = 4096
BOOT_LOG = b"Booting TF-M v2.1.0\r\n[Sec Thread] Secure image initializing!\r\n"
LOOK_MS = 250


def function_of(kind, number):
    return f"mass_storage.{number}" if kind == "storage" else f"acm.{number}"


def make_gadget(name, vendor, product, serial, kinds):
    """Describes the device; returns its folder and the ttyGS of each serial function, (kind, path)."""
    gadget, ports = GADGETS / name, []
    (gadget / "strings/0x409").mkdir(parents=True)
    (gadget / "configs/c.1").mkdir(parents=True)
    (gadget / "idVendor").write_text(f"0x{vendor}")
    (gadget / "idProduct").write_text(f"0x{product}")
    (gadget / "strings/0x409/serialnumber").write_text(serial)
    (gadget / "strings/0x409/product").write_text(name)
    for number, kind in enumerate(kinds):
        function = gadget / "functions" / function_of(kind, number)
        function.mkdir(parents=True)
        if kind == "storage":
            (function / "lun.0/removable").write_text("1")
        else:
            ports.append((kind, f"/dev/ttyGS{(function / 'port_num').read_text().strip()}"))
        (gadget / "configs/c.1" / function.name).symlink_to(function)
    return gadget, ports


def open_raw(path):
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(fd)
    return fd


class Pipe:
    """One direction. Reads only when everything has been passed on."""

    def __init__(self, source, sink):
        self.source, self.sink, self.held = source, sink, b""

    def watch(self, wanted):
        if self.held:
            wanted[self.sink] = wanted.get(self.sink, 0) | select.POLLOUT
        else:
            wanted[self.source] = wanted.get(self.source, 0) | select.POLLIN

    def turn(self):
        """Raises OSError when an end has hung up."""
        try:
            if not self.held:
                self.held = os.read(self.source, PIECE)
                if not self.held:
                    raise OSError("hung up")
            if self.sink is None:
                self.held = b""
            else:
                self.held = self.held[os.write(self.sink, self.held):]
        except BlockingIOError:
            pass


class Board:
    def __init__(self, line):
        self.name, self.udc, vendor, product, serial, kinds, self.link = line.split()
        self.gadget, self.ports = make_gadget(self.name, vendor, product, serial, kinds.split(","))
        self.pipes, self.fds = [], []

    def plug(self):
        try:
            board = open_raw(self.link)
        except OSError:  # between the simulator's making the link and the terminal behind it, or just gone
            return
        self.fds = [board]
        (self.gadget / "UDC").write_text(self.udc)
        for kind, path in self.ports:
            if kind == "mute":
                continue
            port = open_raw(path)
            self.fds.append(port)
            if kind == "at":
                self.pipes += [Pipe(board, port), Pipe(port, board)]
            else:
                os.write(port, BOOT_LOG)
                self.pipes.append(Pipe(port, None))
        print("plugged", self.name, flush=True)

    def pull(self):
        (self.gadget / "UDC").write_text("\n")
        for fd in self.fds:
            os.close(fd)
        self.pipes, self.fds = [], []
        print("pulled", self.name, flush=True)

    def watch(self, wanted):
        if not self.fds and os.path.exists(self.link):
            self.plug()
        for pipe in self.pipes:
            pipe.watch(wanted)

    def turn(self, ready):
        try:
            for pipe in self.pipes:
                if pipe.source in ready or pipe.sink in ready:
                    pipe.turn()
        except OSError:
            self.pull()


def main(table):
    boards = [Board(line) for line in pathlib.Path(table).read_text().splitlines()]
    print("ready", flush=True)
    while True:
        wanted = {}
        for board in boards:
            board.watch(wanted)
        poll = select.poll()
        for fd, events in wanted.items():
            poll.register(fd, events)
        ready = {fd for fd, _ in poll.poll(LOOK_MS)}
        for board in boards:
            board.turn(ready)


if __name__ == "__main__":
    main(sys.argv[1])
