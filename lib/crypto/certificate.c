#include "crypto/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

const char *certificate_untimely(const char *path)
{
    FILE *f = fopen(path, "re");
    X509 *x = f != NULL ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    const char *what = NULL;

    if (x != NULL && X509_cmp_current_time(X509_get0_notAfter(x)) < 0) {
        what = "has expired";
    } else if (x != NULL && X509_cmp_current_time(X509_get0_notBefore(x)) > 0) {
        what = "is not valid yet";
    }
    X509_free(x);
    if (f != NULL) {
        (void)fclose(f);
    }
    return what;
}

const char *certificate_fault(int number)
{
    return X509_verify_cert_error_string(number);
}
