/* Stands for nrfxlib/nrf_modem/include/nrf_modem_at.h of nRF Connect SDK v2.9.0. Both handlers run in
 * interrupts. */
#ifndef NRF_MODEM_AT_H
#define NRF_MODEM_AT_H

typedef void (*nrf_modem_at_notif_handler_t)(const char *notif);
typedef void (*nrf_modem_at_resp_handler_t)(const char *resp);

int nrf_modem_at_notif_handler_set(nrf_modem_at_notif_handler_t callback);
int nrf_modem_at_cmd_async(nrf_modem_at_resp_handler_t callback, const char *fmt, ...);

#endif
