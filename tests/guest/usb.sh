#!/bin/bash
# Real USB: the kernel's own cdc-acm driver in a virtual machine. QEMU runs a Debian kernel, without KVM; the guest's root
# is this machine's, shared read-only, so that what was just built runs there with the libraries it was built with. In the
# guest dummy_hcd is host controller and device at once, simulated boards stand behind ACM gadgets, and udev runs with our
# rules: inside/station.sh is the test, this only finds the pieces, starts the machine and reads its console.
#
# Runs with GUEST=1 in the environment only: it takes a core for some minutes. Where a piece is missing it says which and is
# skipped; `scripts/deps --guest` brings all of them. The kernel is the one in CERTLINE_GUEST, in ~/.cache/certline/guest
# (both: a folder with boot/ and lib/modules/), or this machine's own.
. "$(dirname "$0")/../e2e/common/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
inside=$SOURCE_DIR/tests/guest/inside
GUARD=${GUARD:-1700} # seconds after which the machine hangs

lacking() { skip "$* (scripts/deps --guest brings what is needed)"; }

# --- the pieces ----------------------------------------------------------------------------------------------------------

needed_modules=(dummy_hcd libcomposite usb_f_acm usb_f_mass_storage cdc_acm usbmon 9p 9pnet_virtio virtio_pci)

has_modules() { # ROOT VERSION
    local name
    for name in "${needed_modules[@]}"; do
        modprobe -d "$1" -S "$2" --show-depends "$name" >/dev/null 2>&1 || { lacks=$name; return 1; }
    done
}

# The newest kernel that has all it needs: $root, $version.
find_kernel() {
    local candidate image
    lacks=
    for candidate in ${CERTLINE_GUEST:+"$CERTLINE_GUEST"} "${XDG_CACHE_HOME:-${HOME:-/nowhere}/.cache}/certline/guest" /; do
        for image in $(find "$candidate/boot" -maxdepth 1 -name 'vmlinuz-*' 2>/dev/null | sort -rV); do
            root=$candidate version=${image##*/vmlinuz-} kernel=$image
            [ -r "$image" ] && [ -d "$root/lib/modules/$version" ] && has_modules "$root" "$version" && return
        done
    done
    lacking "no kernel here has what a USB gadget needs${lacks:+ ($version lacks $lacks)}"
}

find_pieces() {
    local command
    [ -n "${GUEST:-}" ] || skip "takes a core for some minutes, and runs with GUEST=1 only (daemon/README.md)"
    [ "$(uname -m)" = x86_64 ] || lacking "the guest is an x86_64 one, this machine is none"
    for command in qemu-system-x86_64 modprobe cpio udevadm flock jq curl openssl python3; do
        command -v "$command" >/dev/null || lacking "$command is not here"
    done
    [ -x /lib/systemd/systemd-udevd ] || lacking "systemd-udevd is not here"
    qemu-system-x86_64 -device help 2>/dev/null | grep -q '"virtio-9p-pci"' || lacking "this QEMU shares no folders"
    find_kernel
}

# --- the machine ---------------------------------------------------------------------------------------------------------

# take PROGRAM: into the initramfs, with its libraries.
take() {
    local file
    for file in $(command -v "$1") $(ldd "$(command -v "$1")" | grep -o '/[^ )]*'); do
        mkdir -p "$dir/initramfs$(dirname "$file")"
        cp -L "$file" "$dir/initramfs$file"
    done
}

# Enough to mount the root: a shell, the drivers of the shared folder, and inside/init.
make_initramfs() {
    local name file
    mkdir -p "$dir/initramfs"/{bin,modules,host,proc}
    for name in sh mkdir mount insmod chroot; do
        take "$name"
    done
    [ -e "$dir/initramfs/bin/sh" ] || cp -L "$dir/initramfs$(command -v sh)" "$dir/initramfs/bin/sh"
    for name in virtio_pci 9pnet_virtio 9p; do
        modprobe -d "$root" -S "$version" --show-depends "$name" | awk '$1 == "insmod" { print $2 }'
    done | awk '!seen[$0]++' >"$dir/modules"
    while read -r file; do
        cp "$file" "$dir/initramfs/modules"
        echo "/modules/${file##*/}" >>"$dir/initramfs/modules/order"
    done <"$dir/modules"
    cp "$inside/init" "$dir/initramfs/init"
    # What the test needs to know; a variable a line.
    for name in CERTLINED CERTLINE_SIM SOURCE_DIR ASAN_OPTIONS UBSAN_OPTIONS; do
        [ -z "${!name:-}" ] || printf 'export %s=%q\n' "$name" "$(resolved "$name")"
    done >"$dir/initramfs/environment"
    printf 'export MADE=%q MODULES=%q PATH=%q\n' "$dir" "$(realpath "$root")" "$(python_folder):/usr/sbin:/usr/bin:/sbin:/bin" \
        >>"$dir/initramfs/environment"
    (cd "$dir/initramfs" && find . | cpio --quiet -o -H newc) >"$dir/initrd"
}

resolved() {
    case $1 in
    *_OPTIONS) echo "${!1}" ;;
    *) realpath "${!1}" ;;
    esac
}

# Of the interpreter itself: what stands for it in PATH may be a shell script that looks for it.
python_folder() { dirname "$(python3 -c 'import sys; print(sys.executable)')"; }

# The guest's clock counts instructions, 2 ns each, so that a busy host slows it down instead of making it miss its
# deadlines. Counted more coarsely, boards with sanitizers would have no time for the octets that come at their speed.
run_machine() {
    timeout --foreground -k 5 "$GUARD" qemu-system-x86_64 -accel tcg -icount shift=1 -rtc clock=vm -cpu max -m 1536 \
        -nodefaults -no-user-config -no-reboot -display none -serial stdio \
        -kernel "$kernel" -initrd "$dir/initrd" -append "console=ttyS0 quiet loglevel=3 panic=-1 random.trust_cpu=on" \
        -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
        </dev/null >"$dir/console" 2>&1
}

begin
find_pieces
make_ca
make_bundles 4
make_initramfs
echo "Linux $version, $(qemu-system-x86_64 --version | head -n 1)"
code=0
run_machine || code=$?
tr -d '\r' <"$dir/console" | sed -n 's/^guest: //p'
if ! grep -q '^guest: passed' "$dir/console"; then
    echo "FAILED (the emulator ended with $code); the console's end:"
    tail -n 120 "$dir/console" | tr -d '\r' | cut -c1-300
    exit 1
fi
