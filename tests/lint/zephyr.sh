#!/bin/bash
# The nRF Connect SDK application without the SDK, against the stand-ins of firmware/zephyr/stubs: its configuration with
# kconfiglib, its overlays with dtc, its CMake files and sources with arm-none-eabi-gcc, and its sources with clang.
# Skipped where these tools are missing.
set -u
source=${SOURCE_DIR:?}
app=$source/firmware/zephyr
for tool in arm-none-eabi-gcc clang dtc fdtget cmake; do
    command -v $tool >/dev/null || { echo "zephyr.sh: $tool is not here"; exit 77; }
done
/usr/bin/python3 -c 'import kconfiglib' 2>/dev/null || { echo "zephyr.sh: kconfiglib is not here"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "zephyr.sh: $*" >&2
    exit 1
}

version=$(sed -n 's/^project(certline VERSION \([0-9.]*\).*/\1/p' "$source/CMakeLists.txt")
grep -q "define CORE_VERSION *\"$version\"" "$source/firmware/core/core.h" || fail "CORE_VERSION is not $version"

# Configuration. The application's own Kconfig and the stand-in of the SDK's are read from one folder, as the SDK does.
cp "$app/Kconfig" "$app/stubs/Kconfig.zephyr" "$work"
mkdir "$work/stubs"
cp "$app/stubs/configure.py" "$work/stubs"
boards=0
for overlay in "$app"/boards/*.overlay; do
    board=$(basename "$overlay" .overlay)
    "$work/stubs/configure.py" "$work/$board.h" "$board" "$app/prj.conf" "$app/boards/$board.conf" ||
        fail "the configuration of $board"

    { cat "$app/stubs/boards/nrf91.dtsi" "$overlay"; } | cpp -nostdinc -undef -x assembler-with-cpp - |
        dtc -q -I dts -O dtb -o "$work/$board.dtb" - || fail "the overlay of $board"
    uart=$(fdtget "$work/$board.dtb" /chosen certline,uart) || fail "$board has no certline,uart"
    [ "$(fdtget "$work/$board.dtb" "$uart" status)" = okay ] || fail "$board: $uart is not enabled"
    [ "$(fdtget "$work/$board.dtb" /soc/watchdog@18000 status)" = okay ] || fail "$board has no watchdog"
    case $board in
    thingy91_*) fdtget "$work/$board.dtb" "$uart" hw-flow-control 2>/dev/null && fail "$board has RTS and CTS" ;;
    *) fdtget "$work/$board.dtb" "$uart" hw-flow-control >/dev/null || fail "$board has no RTS and CTS" ;;
    esac
    boards=$((boards + 1))
done
[ $boards -eq 5 ] || fail "$boards boards"

# A spoilt configuration must be noticed, or the check above says nothing.
printf 'CONFIG_NO_SUCH_OPTION=y\n' >"$work/spoilt.conf"
"$work/stubs/configure.py" "$work/spoilt.h" spoilt "$app/prj.conf" "$work/spoilt.conf" 2>/dev/null &&
    fail "an unknown option passed"
printf 'CONFIG_CERTLINE_RX_SIZE=1\n' >"$work/spoilt.conf"
"$work/stubs/configure.py" "$work/spoilt.h" spoilt "$app/prj.conf" "$work/spoilt.conf" 2>/dev/null &&
    fail "an option out of its range passed"

# CMake and sources.
for board in nrf9151dk_nrf9151_ns thingy91_nrf9160_ns; do
    {
        cmake -S "$app" -B "$work/build-$board" -DZephyr_DIR="$app/stubs/cmake" -DCERTLINE_STUBS="$app/stubs" \
            -DCERTLINE_AUTOCONF="$work/$board.h" -DCMAKE_SYSTEM_NAME=Generic -DCMAKE_C_COMPILER=arm-none-eabi-gcc \
            -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY &&
            cmake --build "$work/build-$board"
    } >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log"; fail "the build of $board"; }
done
newlib=$(echo '#include <string.h>' | arm-none-eabi-gcc -E - | sed -n 's/.*"\(.*\)\/string.h".*/\1/p' | head -n 1)
for file in "$app"/src/*.c "$source"/firmware/core/*.c; do
    clang --target=thumbv8m.main-none-eabi -mcpu=cortex-m33 -fsyntax-only -std=c17 -isystem "$newlib" \
        -imacros "$work/nrf9151dk_nrf9151_ns.h" -I "$app/stubs/include" -I "$source/firmware" -Wall -Wextra \
        -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror "$file" || fail "clang: $file"
done
echo "zephyr.sh: $boards boards configured, sources accepted by two compilers"
