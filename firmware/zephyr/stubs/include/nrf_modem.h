/* Stands for nrfxlib/nrf_modem/include/nrf_modem.h of nRF Connect SDK v2.9.0. */
#ifndef NRF_MODEM_H
#define NRF_MODEM_H

#include <stdint.h>

struct nrf_modem_fault_info {
    uint32_t reason;
    uint32_t program_counter;
};

#endif
