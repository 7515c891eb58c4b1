/* The other end of a unix socket, as the kernel has it. */
#ifndef TRACER_UNIX_PEER_H
#define TRACER_UNIX_PEER_H

#include <stdint.h>

enum { UNIX_PEER_NONE = 0 }; /* not accepted yet, gone, no unix socket, or the kernel does not tell */

/* The inode of the socket that is connected to the one with that inode. Costs some system calls. */
uint64_t unix_peer(uint64_t inode);

#endif
