/* Where the files of connectors are. */
#ifndef CONNECTOR_FIND_H
#define CONNECTOR_FIND_H

struct err;

/* The path of a connector's file; caller frees. NULL with STATUS_CONFIG and the
 * names of those that there are. */
char *connector_find(const char *name, struct err *);

#endif
