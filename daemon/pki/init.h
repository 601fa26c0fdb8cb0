/*
 * OpenSSL's own memory. Every block that it gives back is wiped first, so that a key it parsed or a text it
 * decoded does not outlive the call in freed memory.
 */
#ifndef CERTLINE_PKI_INIT_H
#define CERTLINE_PKI_INIT_H

#include <stddef.h>
#include <stdint.h>

/* Must come before anything else in the process uses OpenSSL: the first lines of main. Calling it again is
 * harmless. Returns 0, or ERR_INTERNAL when OpenSSL holds memory already and would go on without wiping. */
int pki_init(void);

/* How often OpenSSL has asked for memory in vain on this thread. Most of its functions say "no" then as they
 * do to what is wrong with their input; whoever compares before and after knows which it was. */
uint64_t pki_shortages(void);

/* Overwrites the stack below the caller, as deep as OpenSSL uses it, and the vector registers that memory is
 * copied through: both hold pieces of what was last worked on. For the end of every function that had a
 * secret in clear. Needs PKI_STACK_SIZE octets of stack. */
#define PKI_STACK_SIZE 65536
void pki_scrub_stack(void);

/* Random octets that nobody can guess. Ends the process when there are none. Any thread. */
void pki_random(uint8_t *out, size_t n);

#endif
