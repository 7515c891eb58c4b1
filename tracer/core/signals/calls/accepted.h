/* Connections that stood in the queue of a listening socket: see accepted.c. */
#ifndef TRACER_ACCEPTED_H
#define TRACER_ACCEPTED_H

#include "ring/ring.h"

/* After each accept(): one system call, two where the connection had waited for long. Keeps errno. */
void accepted_look(thread_buffer *b, int fd);

#endif
