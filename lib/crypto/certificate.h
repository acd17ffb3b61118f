/* What is wrong with certificates, in words (OpenSSL). */
#ifndef CRYPTO_CERTIFICATE_H
#define CRYPTO_CERTIFICATE_H

/* The first certificate of a PEM file: "has expired" or "is not valid yet";
 * NULL where it is neither, or cannot be read. */
const char *certificate_untimely(const char *path);

/* The fault that a check has found, by its number (X509_V_ERR_...), as in
 * "certificate has expired". */
const char *certificate_fault(int number);

#endif
