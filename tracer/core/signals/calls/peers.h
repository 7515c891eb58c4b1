/* Whether a socket is connected to a server in this very process: see peers.c. */
#ifndef TRACER_PEERS_H
#define TRACER_PEERS_H

/* A few system calls for each low descriptor: only after a long wait. */
int peers_is_own(int fd);

#endif
