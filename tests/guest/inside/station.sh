#!/bin/bash
# The test in the guest: a station whose boards hang on the kernel's own USB drivers. Started by inside/init; what begins
# with "guest: " is read by ../usb.sh.
#
# Four boards of the table in io/usb_kind.c, each on a bus of its own, and what their slots go by:
#
#   dk       nRF9151 DK: AT at interface 0, and a port that tells the boot log    USB path: usb/dk
#   three    nRF9160 DK with three ports: AT, a log, one that nobody reads        USB path: usb/three, usb/log, usb/mute
#   x        Thingy:91 X: a storage before its two ports, so AT is interface 1    by-path link: path/x, path/x-log
#   thingy   Thingy:91                                                            glob of by-path links: glob/…
export TMPDIR=/run/tmp HOME=/run/tmp SYSTEMD_PAGER=cat
mkdir -p "$TMPDIR"
. "$SOURCE_DIR/tests/e2e/common/lib.sh"
here=$SOURCE_DIR/tests/guest/inside

say() { echo "guest: $* ($(cut -d' ' -f1 /proc/uptime) s)"; }

# --- the machine -----------------------------------------------------------------------------------------------------

start_machine() {
    python3 -ISB -c "import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x49))" # SIOCSIFFLAGS: up
    local module
    mount -t debugfs debugfs /sys/kernel/debug
    for module in libcomposite usb_f_acm usb_f_mass_storage cdc_acm usbmon; do
        modprobe -d "$MODULES" "$module"
    done
    modprobe -d "$MODULES" dummy_hcd num=4
    mount -t configfs configfs /sys/kernel/config
    mkdir -p /run/udev/rules.d
    cp "$SOURCE_DIR/systemd/certline.rules" /run/udev/rules.d/70-certline.rules
    /lib/systemd/systemd-udevd --daemon
    udevadm settle
    cat /sys/kernel/debug/usb/usbmon/0u >"$dir/wire" &
}

# The number of the bus of dummy_hcd.N.
bus() { basename /sys/devices/platform/dummy_hcd."$1"/usb* | tr -dc '0-9'; }

# property DEVICE NAME: what udev has given to it
property() { udevadm info -q property -n "$1" | sed -n "s/^$2=//p"; }

# --- boards and station ----------------------------------------------------------------------------------------------

make_boards() {
    cat >"$dir/table" <<END
dk dummy_udc.0 1366 1069 001051212345 at,log $rack/slot001
three dummy_udc.1 1366 1055 000960012345 at,log,mute $rack/slot002
x dummy_udc.2 1915 910a THINGY91X_F00D storage,at,log $rack/slot003
thingy dummy_udc.3 1915 9100 THINGY91_F00D at $rack/slot004
END
    start_boards 4 --baud 230400
    start_relay
    boards 'unplug 1' 'unplug 2' 'unplug 3' 'unplug 4'
    python3 -ISB "$here/gadget.py" "$dir/table" >"$dir/gadgets" 2>&1 &
    gadgets=$!
    await "the gadgets" grep -q ready "$dir/gadgets"
}

write_usb_config() {
    write_config
    python3 -B - "$config" "$(bus 0)" "$(bus 1)" <<'END'
import sys
path, dk, three = sys.argv[1:]
text = open(path).read()
rack = text[text.index("[[fixture]]"):text.index("[[product]]")]
slots = [("usb", {"dk": f'usb = "{dk}-1:1.0"', "three": f'usb = "{three}-1:1.0"', "log": f'usb = "{three}-1:1.2"',
                  "mute": f'usb = "{three}-1:1.4"'}),
         ("path", {"x": 'port = "/dev/serial/by-path/platform-dummy_hcd.2-usb-0:1:1.1"',
                   "x-log": 'port = "/dev/serial/by-path/platform-dummy_hcd.2-usb-0:1:1.3"'})]
new = "".join(f'[[fixture]]\nname = "{name}"\n' +
              "".join(f'[[fixture.slot]]\nname = "{slot}"\n{port}\n' for slot, port in table.items())
              for name, table in slots)
new += '[[fixture]]\nname = "glob"\nports = "/dev/serial/by-path/platform-dummy_hcd.3-usb-*"\n'
open(path, "w").write(text.replace(rack, new))
END
}

at() { api "/api/v1/slots/$1"; }

# slot_at SLOT PATTERN: whether its JSON (one line, fields in the order of the OpenAPI description) has this. A jq for each
# question would cost more here than a board's whole job.
slot_at() { [[ $(at "$1") =~ $2 ]]; }

await_at() { await "$1 with $2" slot_at "$1" "$2"; }

# field SLOT NAME: a text
field() {
    slot_at "$1" "\"$2\":\"([^\"]*)\"" || fail "$1 has no $2"
    echo "${BASH_REMATCH[1]}"
}

await_pass() { await_at "$1" '"state":"done".*"outcome":"PASS"'; }

# await_lost SLOT STEP: its board was pulled in this step, and the daemon says so.
await_lost() { await_at "$1" "\"state\":\"absent\".*\"outcome\":\"LOST\".*\"reason\":\"unplugged\".*\"detail\":\"$2"; }

# boards LINE…: to the simulator's control socket, through one process that stays.
boards() {
    local line answer
    for line; do
        echo "$line" >&"${relay[1]}"
        read -r answer <&"${relay[0]}"
        [ "$answer" = ok ] || fail "boards: $line: $answer"
    done
}

start_relay() {
    coproc relay { exec python3 -ISB -c 'import socket, sys
for line in sys.stdin:
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(line.encode())
    print(s.makefile().readline().strip(), flush=True)' "$dir/control"; }
}

plug() { boards "clear $1" "plug $1"; }

plug_faulty() { boards "fault $2/$1" "plug $1"; } # BOARD FAULT

bundles_of() { get "/api/v1/jobs?imei=$1&limit=100" '[.jobs[].bundle | select(.)] | unique | join(" ")'; }

# control_requests BUS TYPE: what the host's driver sent to the devices of a bus ('': of all), as the bus saw it: value,
# interface, data.
# 20 is SET_LINE_CODING, 22 SET_CONTROL_LINE_STATE (USB PSTN subclass 1.2, 6.3.10 and 6.3.12).
control_requests() { awk -v bus="Co:${1:+$1:}" -v type="$2" '$3 == "S" && index($4, bus) == 1 && $6 == "21" && $7 == type {
    print $8, $9, $13 $14 }' "$dir/wire"; }

# --- cases -----------------------------------------------------------------------------------------------------------

# The cable is out at an octet in the middle of a certificate; another board takes the number; then it is plugged again.
pulled_and_plugged_again_under_another_number() {
    plug_faulty 1 unplug@byte:1100
    await_lost usb/dk write
    local imei second
    imei=$(get "/api/v1/jobs/$(field usb/dk job)" .imei)
    plug 2
    await_pass usb/three
    equal "the number that was free" /dev/ttyACM0 "$(field usb/three port)"
    plug 1
    await_pass usb/dk
    second=$(field usb/dk port)
    equal "the number of the board that came back" /dev/ttyACM3 "$second"
    equal "its IMEI" "$imei" "$(field usb/dk imei)"
    case $(bundles_of "$imei") in
    b-???) ;;
    *) fail "board $imei was given: $(bundles_of "$imei")" ;;
    esac
    say "a board pulled in the middle of a certificate came back as $second and passed with the same bundle"
}

slots_by_link() {
    plug_faulty 3 unplug@byte:1500
    await_lost path/x write
    plug 3
    await_pass path/x
    plug 4
    await_pass glob/0:1:1.0
    slot_at path/x "\"usb\":\"$(bus 2)-1:1.1\"" || fail "the link's USB path is not known"
    say "slots by by-path links passed, one of them after it had been pulled"
}

wrong_ports() {
    local slot
    for slot in usb/log usb/mute path/x-log; do
        await_at $slot '"state":"done".*"reason":"wrong_port".*"detail":"[^"]*(first port|interface 1) does'
    done
    say "three wrong ports were named, one of which takes nothing"
}

lines_and_locks() {
    local device n
    for n in 0 1 2 3; do
        control_requests "$(bus $n)" 20 | grep -q '00c20100000008' || fail "bus $n: never set to 115200 8N1"
        control_requests "$(bus $n)" 22 | grep -q '^0003 ' || fail "bus $n: DTR and RTS were never raised"
    done
    for slot in usb/dk usb/three path/x glob/0:1:1.0; do
        device=$(field $slot port)
        stty -a -F "$device" | grep -q -- '-hupcl' || fail "$device: HUPCL is set"
        stty -a -F "$device" | grep -q -- '-icanon' || fail "$device: not raw"
        flock -n "$device" true && fail "$device can be locked by others"
    done
    stty -a -F "$(field usb/dk port)" | grep -q -- ' crtscts' || fail "the kit has no RTS/CTS"
    stty -a -F "$(field path/x port)" | grep -q -- '-crtscts' || fail "the bridge has RTS/CTS"
    say "115200 8N1, DTR and RTS raised, HUPCL cleared, held by flock"
}

# What ModemManager reads stands at the device and at each port, and the ports are for the group.
is_ours() { # DEVICE
    local parent
    parent=$(realpath "/sys/class/tty/${1##*/}/device/..")
    equal "$1" "1 1 root:dialout:660" "$(property "$1" ID_MM_PORT_IGNORE) $(udevadm info -q property -p "$parent" |
        sed -n 's/^ID_MM_DEVICE_IGNORE=//p') $(stat -c %U:%G:%a "$1")"
}

udev_rules() {
    local device complaints
    for device in /dev/ttyACM*; do
        is_ours "$device"
    done
    complaints=$(udevadm test --action=add /sys/class/tty/ttyACM0 2>&1 | grep 'certline.rules:.*\(nvalid\|nknown\|gnor\)' || true)
    [ -z "$complaints" ] || fail "udev does not like the rules: $complaints"
    say "udev reads the rules without complaint; $(find /dev -name 'ttyACM*' | wc -l) ports are kept from ModemManager"
}

# Ends with every board plugged in: no line may have fallen, and the next station finds the boards as they were. A port
# that somebody else holds is told, and taken as soon as it is free.
restarted_while_another_program_holds_a_port() {
    local device raised
    device=$(field usb/dk port)
    end_station TERM
    equal "exit status" 0 "$(cat "$dir/code")"
    no_line_fell
    # Not flock's own child, which would hold it on.
    (exec 9<"$device" && flock 9 && exec sleep infinity) &
    local holder=$!
    await "somebody who holds $device" is_locked "$device"
    start_station
    await_at usb/dk '"reason":"port_open_failed".*"detail":"[^"]*another program'
    end_process $holder
    local slot
    for slot in usb/dk usb/three path/x glob/0:1:1.0; do
        await_at $slot '"state":"done".*"reason":"already_right"'
    done
    no_line_fell
    say "after a restart all are already right; no line fell meanwhile"
}
no_line_fell() {
    control_requests '' 22 >"$dir/lines"
    [ -s "$dir/lines" ] || fail "nothing is known of the lines"
    grep -v '^0003 ' "$dir/lines" && fail "DTR or RTS fell"
    return 0
}
is_locked() { ! flock -n "$1" true; }

# Two more devices in the place of the last board: a probe that is known by its serial number only, and a stranger.
other_devices() {
    local gadget=/sys/kernel/config/usb_gadget/thingy
    boards 'unplug 4'
    await_at glob/0:1:1.0 '"state":"absent"'
    show_as "$gadget" 1366 1051 001051312345
    is_ours "$(realpath /dev/serial/by-path/platform-dummy_hcd.3-usb-0:1:1.0)"
    show_as "$gadget" 0403 6001 A1
    equal "another maker's port" "" "$(property /dev/serial/by-path/platform-dummy_hcd.3-usb-0:1:1.0 ID_MM_PORT_IGNORE)"
    say "a probe of another product number is ours, a stranger is not"
}

show_as() { # GADGET VENDOR PRODUCT SERIAL
    echo >"$1/UDC" 2>/dev/null || true
    await "the port's end" test ! -e /dev/serial/by-path/platform-dummy_hcd.3-usb-0:1:1.0
    echo "0x$2" >"$1/idVendor"
    echo "0x$3" >"$1/idProduct"
    echo "$4" >"$1/strings/0x409/serialnumber"
    echo dummy_udc.3 >"$1/UDC"
    await "the port" test -e /dev/serial/by-path/platform-dummy_hcd.3-usb-0:1:1.0
    udevadm settle
}

begin
pause() { sleep 1; }
at_finish() { [ -z "${gadgets:-}" ] || cat "$dir/gadgets"; }
start_machine
say "drivers and udev are there"
cp "$MADE"/ca.pem "$MADE"/bundles.ndjson "$dir"
write_usb_config
make_boards
start_station
import_bundles >"$dir/out"
api /api/v1/work-orders/WO-1 -f -o "$dir/out" -X PUT -H 'Content-Type: application/json' \
    -d '{"product":"tracker","quantity":4,"fixtures":["usb","path","glob"]}'
say "station and boards are there"
pulled_and_plugged_again_under_another_number
slots_by_link
wrong_ports
lines_and_locks
udev_rules
equal "boards that passed" 4 "$(check_memory)"
restarted_while_another_program_holds_a_port
other_devices
