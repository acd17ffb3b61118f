/* Lists of names (struct log_names), sorted. */
#ifndef LOG_NAMES_H
#define LOG_NAMES_H

#include "log/log.h"

void names_add(struct log_names *, const char *);
void names_sort(struct log_names *);

/* What is in a folder, hidden entries left out. */
int names_of_folder(const char *dir, struct log_names *, struct err *);

#endif
