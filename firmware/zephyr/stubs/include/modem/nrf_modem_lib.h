/* Stands for nrf/include/modem/nrf_modem_lib.h of nRF Connect SDK v2.9.0. The application defines the fault
 * handler when CONFIG_NRF_MODEM_LIB_ON_FAULT_APPLICATION_SPECIFIC is set. */
#ifndef NRF_MODEM_LIB_H
#define NRF_MODEM_LIB_H

#include <nrf_modem.h>

int nrf_modem_lib_init(void);
void nrf_modem_fault_handler(struct nrf_modem_fault_info *fault_info);

#endif
