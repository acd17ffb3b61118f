/* The exit statuses of every dpp program (sysexits(3) numbers, dpp-stage(7)).
 *
 * STATUS_NEIGHBOUR says "the stage beside me died" and nothing else, so that a
 * supervisor can name the stage that was at fault. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

enum status {
    STATUS_OK = 0,
    STATUS_USAGE = 64,       /* wrong arguments */
    STATUS_STREAM = 65,      /* the stream is not what the contract says */
    STATUS_UNREACHABLE = 69, /* peer unreachable, unknown topic */
    STATUS_BUG = 70,
    STATUS_SYSTEM = 71, /* no descriptor, no memory, no process */
    STATUS_IO = 74,     /* standard output, disk */
    STATUS_RETRY = 75,  /* try again */
    STATUS_NEIGHBOUR = 76,
    STATUS_REFUSED = 77, /* permission, credentials, destination gone */
    STATUS_CONFIG = 78,  /* configuration, or another has taken this over */
};

#endif
