/* The limit for dpp-deliver: a bare curl_multi loop that posts one body again
 * and again.
 *
 *     curlloop [-c CONCURRENCY] [-n REQUESTS] [-b FILE] URL
 *
 * Prints POSTs per second and CPU µs per POST. Status 1 if an answer was no
 * 200. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

/* As many as dpp-deliver sends, so that both post the same. */
static const char *const lines[] = {
    "Content-Type: application/json",
    "Idempotency-Key: 7842c7b66900ee3b448feccad0d143e2",
    "ce-specversion: 1.0",
    "ce-id: 1234",
    "ce-source: /shop",
    "ce-type: paid",
    "Expect:",
};

static size_t ignore(char *p, size_t size, size_t n, void *arg)
{
    (void)p;
    (void)arg;
    return size * n;
}

static CURL *make(const char *url, struct buf *body, struct curl_slist *fields)
{
    CURL *c = curl_easy_init();

    (void)curl_easy_setopt(c, CURLOPT_URL, url);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body->n);
    (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, body->p);
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
    return c;
}

/* Returns how many answers were no 200. */
static unsigned long loop(CURLM *m, unsigned long todo, unsigned long running)
{
    unsigned long bad = 0;
    CURLMsg *msg;
    int left;

    while (running > 0) {
        (void)curl_multi_perform(m, &left);
        bool again = false;
        while ((msg = curl_multi_info_read(m, &left)) != NULL) {
            CURL *c = msg->easy_handle;
            long status = 0;
            (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
            bad += status != 200;
            (void)curl_multi_remove_handle(m, c);
            running--;
            if (todo > 0) {
                todo--;
                running++;
                again = true;
                (void)curl_multi_add_handle(m, c);
            } else {
                curl_easy_cleanup(c);
            }
        }
        if (!again && running > 0) {
            (void)curl_multi_poll(m, NULL, 0, 1000, NULL);
        }
    }
    return bad;
}

int main(int argc, char **argv)
{
    unsigned long c = 16;
    unsigned long n = 30000;
    struct buf body;
    struct err e;
    struct rusage use;
    int o;

    buf_init(&body);
    while ((o = getopt(argc, argv, "c:n:b:")) >= 0) {
        if (o == 'c') {
            c = strtoul(optarg, NULL, 10);
        } else if (o == 'n') {
            n = strtoul(optarg, NULL, 10);
        } else if (o != 'b' || file_read(optarg, 1 << 20, &body, &e) < 0) {
            return 64;
        }
    }
    if (optind != argc - 1) {
        return 64;
    }
    if (body.n == 0) {
        memset(buf_reserve(&body, 350), 'x', 350);
        body.n = 350;
    }
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *m = curl_multi_init();
    struct curl_slist *fields = NULL;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        fields = curl_slist_append(fields, lines[i]);
    }
    (void)curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)c);
    for (unsigned long i = 0; i < c; i++) {
        (void)curl_multi_add_handle(m, make(argv[optind], &body, fields));
    }
    const uint64_t start = clock_mono_us();
    const unsigned long bad = loop(m, n > c ? n - c : 0, c);
    const uint64_t us = clock_mono_us() - start;
    (void)getrusage(RUSAGE_SELF, &use);
    const double cpu =
        (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 +
        (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
    (void)printf("%.0f POST/s, %.1f us CPU a POST, %lu bad\n",
                 (double)n * 1e6 / (double)us, cpu / (double)n, bad);
    curl_slist_free_all(fields);
    (void)curl_multi_cleanup(m);
    return bad > 0;
}
