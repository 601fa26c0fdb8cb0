/*
 * Development kits carry a debug probe, whose product number tells which ports its firmware offers and
 * changes with that firmware; the same number is on kits without a modem. So a kit is known by its serial
 * number, whose first digits are the board's type, and the product number decides only where Nordic's own
 * firmware is behind it.
 *
 * Rows are tried in order: the longer prefix stands before the one that begins it.
 */
#include "io/usb_kind.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PROBE          0x1366 /* SEGGER */
#define NORDIC         0x1915
#define ANY            0
#define SERIAL_DIGITS  12
#define INTERFACE_LAST 255

enum model { NRF9160_DK, NRF9161_DK, NRF9151_DK, NRF9131_EK, THINGY91, THINGY91X };

/* The Thingys' bridge passes the rate on and drops what it cannot send: it has no lines to hold anybody up.
 */
static const struct usb_kind kinds[] = {
    [NRF9160_DK] = {"nRF9160 DK", USB_INTERFACE_LOWEST, PORT_FLOW_RTSCTS},
    [NRF9161_DK] = {"nRF9161 DK", 0, PORT_FLOW_RTSCTS},
    [NRF9151_DK] = {"nRF9151 DK", 0, PORT_FLOW_RTSCTS},
    [NRF9131_EK] = {"nRF9131 EK", USB_INTERFACE_LOWEST, PORT_FLOW_RTSCTS},
    [THINGY91] = {"Thingy:91", USB_INTERFACE_LOWEST, PORT_FLOW_NONE},
    [THINGY91X] = {"Thingy:91 X", 1, PORT_FLOW_NONE},
};

static const struct {
    uint16_t vendor, product; /* ANY */
    const char *serial;       /* a prefix, of a probe's in 12 digits; "": any */
    enum model model;
} rows[] = {
    {PROBE, ANY, "0009600", NRF9160_DK},   {PROBE, ANY, "0010509", NRF9161_DK},
    {PROBE, ANY, "0010512", NRF9151_DK},   {PROBE, ANY, "0010520", NRF9151_DK},
    {PROBE, ANY, "0010510", NRF9131_EK},   {PROBE, ANY, "0010513", THINGY91X},
    {PROBE, ANY, "0010550", THINGY91X},    {PROBE, ANY, "0010551", THINGY91X},
    {NORDIC, 0x910A, "", THINGY91X},       {NORDIC, 0x9100, "", THINGY91},
    {NORDIC, ANY, "THINGY91X", THINGY91X}, {NORDIC, ANY, "THINGY91", THINGY91},
    {NORDIC, ANY, "PCA20035", THINGY91},
};

/* A number of a probe with its leading zeros; another serial number as it is. */
static const char *pad(const char *serial, char out[SERIAL_DIGITS + 1])
{
    size_t len = strlen(serial);
    if (len == 0 || len > SERIAL_DIGITS || strspn(serial, "0123456789") != len) {
        return serial;
    }
    memset(out, '0', SERIAL_DIGITS - len);
    memcpy(out + SERIAL_DIGITS - len, serial, len + 1);
    return out;
}

const struct usb_kind *usb_kind_find(uint16_t vendor, uint16_t product, const char *serial)
{
    char padded[SERIAL_DIGITS + 1];
    const char *text = pad(serial ? serial : "", padded);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (rows[i].vendor == vendor && (rows[i].product == ANY || rows[i].product == product) &&
            strncmp(text, rows[i].serial, strlen(rows[i].serial)) == 0) {
            return &kinds[rows[i].model];
        }
    }
    return NULL;
}

bool usb_kind_is_at(const struct usb_kind *kind, int interface, int lowest)
{
    return interface == (kind->at_interface == USB_INTERFACE_LOWEST ? lowest : kind->at_interface);
}

int usb_kind_interface(const char *path)
{
    const char *colon = strrchr(path, ':');
    const char *dot = colon ? strchr(colon, '.') : NULL;
    size_t digits = dot ? strspn(dot + 1, "0123456789") : 0;
    if (digits == 0 || digits > 3 || dot[1 + digits] != '\0') {
        return ERR_FORMAT;
    }
    int number = atoi(dot + 1);
    return number <= INTERFACE_LAST ? number : ERR_FORMAT;
}
