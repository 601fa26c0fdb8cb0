/* Who runs: a station at the socket and what it says of itself, systemd's unit, the addresses. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/listen.h"
#include "base/json.h"
#include "cmd/doctor.h"
#include "cmd/http_client.h"
#include "config.h"
#include "job/verdict.h"
#include "version.h"

#define ANSWER_MAX ((size_t)1024 * 1024)

static bool is_there(const struct doctor *d, const char *path)
{
    char whole[512];
    struct stat st;
    snprintf(whole, sizeof(whole), "%s%s", d->root, path);
    return lstat(whole, &st) == 0;
}

static bool is_enabled(const struct doctor *d, const char *target, const char *unit)
{
    char path[256];
    snprintf(path, sizeof(path), "/etc/systemd/system/%s.wants/%s", target, unit);
    return is_there(d, path);
}

/* ---- the station */

static struct json *get(const struct doctor *d, const char *target, struct err_info *reterr)
{
    const struct http_request request = {.method = "GET", .target = target, .answer_max = ANSWER_MAX};
    struct http_answer answer = {0};
    struct json *tree = NULL;
    int fd = http_connect(d->config->socket_path, reterr);
    if (fd < 0) {
        return NULL;
    }
    int r = http_call(fd, &request, &answer, reterr);
    close(fd);
    r = r < 0 ? r : json_parse(span_of(answer.body, answer.body_len), JSON_DEPTH_USUAL, &tree, reterr);
    http_answer_done(&answer);
    return r < 0 ? NULL : tree;
}

static void say_unready(struct doctor *d, const struct json *ready)
{
    const struct json *reasons = json_get(ready, "reasons");
    const char *detail = json_as_text(json_get(ready, "detail"));
    int64_t unlocked = 0;
    for (size_t i = 0; i < json_count(reasons); i++) {
        const char *name = json_as_text(json_at(reasons, i));
        int reason = name ? reason_from_name(name) : -1;
        doctor_say(d, DOCTOR_WRONG, reason < 0 ? "Wait." : reason_text((enum reason)reason)->remedy,
                   "it gives out no bundle: %s%s%s", name ? name : "?", detail ? ": " : "",
                   detail ? detail : "");
    }
    if (json_as_i64(json_get(ready, "unlocked_secret_octets"), &unlocked) && unlocked > 0) {
        doctor_say(d, DOCTOR_NOTE, "Raise LimitMEMLOCK= (ulimit -l): secrets should never reach the swap.",
                   "%lld octets of secrets could not be locked in memory", (long long)unlocked);
    }
}

static void say_station(struct doctor *d, const struct json *station)
{
    const char *version = json_as_text(json_get(station, "version"));
    const char *config = json_as_text(json_get(station, "config"));
    const char *since = json_as_text(json_get(station, "started"));
    if (!version || strcmp(version, CERTLINE_VERSION) != 0) {
        doctor_say(d, DOCTOR_NOTE, "systemctl restart certlined, between two racks.",
                   "version %s runs, %s is installed", version ? version : "?", CERTLINE_VERSION);
    }
    if (!config || strcmp(config, d->config->digest) != 0) {
        doctor_say(d, DOCTOR_NOTE, "systemctl restart certlined, between two racks.",
                   "it runs with another configuration than the file holds now");
    }
    doctor_say(d, DOCTOR_GOOD, NULL, "%s answers at %s, up since %s", d->config->station,
               d->config->socket_path, since ? since : "?");
}

static void say_silent(struct doctor *d, int code)
{
    const char *socket = d->config->socket_path;
    if (code == -EACCES) {
        doctor_say(d, DOCTOR_WRONG,
                   "Become a member of its group (sudo adduser $USER certline, log in again), or use sudo.",
                   "%s may not be used by you", socket);
    } else if (code == -ENOENT || code == -ECONNREFUSED) {
        bool should_run = is_enabled(d, "multi-user.target", "certlined.service");
        doctor_say(
            d, should_run ? DOCTOR_WRONG : DOCTOR_NOTE,
            should_run
                ? "systemctl status certlined, journalctl -u certlined -n 50; then systemctl restart "
                  "certlined."
                : "Start it: systemctl enable --now certlined.socket certlined.service, or certlined serve.",
            "no station runs here (%s)", socket);
    } else {
        doctor_say(d, DOCTOR_WRONG, "journalctl -u certlined -n 50; then systemctl restart certlined.",
                   "%s: %s", socket, err_text(code));
    }
}

void doctor_check_station(struct doctor *d)
{
    struct err_info why = {0};
    int fd = http_connect(d->config->socket_path, &why);
    if (fd < 0) {
        say_silent(d, fd);
        return;
    }
    close(fd);
    struct json *station = get(d, "/api/v1/station", &why), *ready = get(d, "/readyz", &why);
    d->is_answering = station && ready;
    if (d->is_answering) {
        say_station(d, station);
        say_unready(d, ready);
    } else {
        doctor_say(d, DOCTOR_WRONG, "journalctl -u certlined -n 50; then systemctl restart certlined.",
                   "a station runs but does not answer: %s", why.text);
    }
    json_free(station);
    json_free(ready);
}

/* ---- the unit */

void doctor_check_service(struct doctor *d)
{
    if (!is_there(d, "/lib/systemd/system/certlined.service")) {
        doctor_say(d, DOCTOR_NOTE, "Install the Debian package, unless the station is run by hand.",
                   "the units are not installed");
        return;
    }
    bool is_on = is_enabled(d, "multi-user.target", "certlined.service");
    if (!is_on) {
        doctor_say(d, DOCTOR_NOTE, "systemctl enable --now certlined.socket certlined.service",
                   "certlined.service is installed and does not start with the machine");
    } else {
        doctor_say(d, DOCTOR_GOOD, NULL, "certlined.service starts with the machine");
    }
    /* The unit hands this very file to the service. */
    if (!is_there(d, "/etc/certline/wrapping.key") && !(d->config && d->config->key_module)) {
        doctor_say(d, DOCTOR_WRONG,
                   "Put its backup back; or make one where nothing was sealed yet: "
                   "(umask 077; head -c 32 /dev/urandom > /etc/certline/wrapping.key)",
                   "/etc/certline/wrapping.key, which the unit loads, is missing");
    }
}

/* ---- addresses */

/* With nobody at work the address must be free, or systemd's. Found out by taking it for a moment. */
static void try_address(struct doctor *d, const char *address)
{
    char remedy[DOCTOR_TEXT_SIZE];
    uint16_t port;
    int fd = listen_tcp(address, &port, NULL);
    if (fd >= 0) {
        close(fd);
        doctor_say(d, DOCTOR_GOOD, NULL, "%s is free", address);
    } else if (fd == -EADDRINUSE && is_enabled(d, "sockets.target", "certlined.socket")) {
        doctor_say(d, DOCTOR_GOOD, NULL, "%s is held open by certlined.socket", address);
    } else {
        const char *colon = strrchr(address, ':');
        snprintf(remedy, sizeof(remedy),
                 "sudo ss -ltnp 'sport = %s' names who has it; or use another in [http] listen.",
                 colon ? colon : address);
        doctor_say(d, DOCTOR_WRONG, remedy, "%s: %s", address, err_text(fd));
    }
}

void doctor_check_listen(struct doctor *d)
{
    for (uint32_t i = 0; i < d->config->n_listen; i++) {
        if (d->is_answering) {
            doctor_say(d, DOCTOR_GOOD, NULL, "http://%s/", d->config->listen[i]);
        } else {
            try_address(d, d->config->listen[i]);
        }
    }
}
