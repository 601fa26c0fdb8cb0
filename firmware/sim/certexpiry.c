/*
 * %CERTEXPIRY: serial number and validity of a stored certificate, the first one of several.
 *
 *   > AT%CERTEXPIRY=16842753,0   < %CERTEXPIRY: 066C9FCF99BF…,20150526000000Z,20380117000000Z  < OK
 *
 * The manual names the fields and not their form; serial in hexadecimal and dates as in the certificate are
 * an assumption.
 */
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "sim/modem.h"

#define ROOT_CA     10
#define ROOT_CA_TAG 4294967293u

static void reply_time(struct modem_reply *reply, const ASN1_TIME *time)
{
    ASN1_GENERALIZEDTIME *whole = ASN1_TIME_to_generalizedtime(time, NULL);

    if (whole)
        modem_reply_printf(reply, ",%.*s", ASN1_STRING_length(whole),
                           (const char *)ASN1_STRING_get0_data(whole));
    ASN1_GENERALIZEDTIME_free(whole);
}

static int reply_certificate(struct modem_reply *reply, const char *pem, size_t len)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    X509 *x509 = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    if (x509) {
        const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
        modem_reply_printf(reply, "%%CERTEXPIRY: ");
        for (int i = 0; i < ASN1_STRING_length(serial); i++)
            modem_reply_printf(reply, "%02X", ASN1_STRING_get0_data(serial)[i]);
        reply_time(reply, X509_get0_notBefore(x509));
        reply_time(reply, X509_get0_notAfter(x509));
        modem_reply_printf(reply, "\r\n");
    }
    BIO_free(bio);
    X509_free(x509);
    return x509 ? CME_OK : CME_NOT_A_CERTIFICATE;
}

int certexpiry_end(struct modem *m, struct modem_call *call, struct modem_reply *reply)
{
    uint32_t tag = sim_args_number(&call->args, UINT32_MAX);
    unsigned type = sim_args_number(&call->args, ROOT_CA);

    if (!sim_args_end(&call->args) || (type > 1 && type != ROOT_CA))
        return modem_bad_parameter(m);
    if (type == ROOT_CA && tag == ROOT_CA_TAG) { /* Amazon Root CA 1 */
        modem_reply_printf(reply, "%%CERTEXPIRY: 066C9FCF99BF8C0A39E2F0788A43E696365BCA,20150526000000Z,"
                                  "20380117000000Z\r\n");
        return CME_OK;
    }
    int i = flash_find(&m->flash, tag, type);
    if (i < 0)
        return CME_NOT_FOUND;
    return reply_certificate(reply, m->flash.memory + m->flash.slots[i].at, m->flash.slots[i].len);
}
