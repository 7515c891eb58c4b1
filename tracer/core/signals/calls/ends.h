/* What a descriptor is an end of, and by which numbers the processes of a family know the streams there. */
#ifndef TRACER_ENDS_H
#define TRACER_ENDS_H

#include <stdint.h>

enum end_kind { END_UNKNOWN, END_OTHER, END_PIPE, END_UNIX, END_TCP };

typedef struct {
    enum end_kind kind;
    uint64_t identity;        /* tells it from others that had its number; 0: it is closed */
    uint64_t in_key, out_key; /* of what is read and written there; 0: it is none, or not known yet */
} end_facts;

/* A few system calls; errno may change. */
end_facts ends_ask(int fd);
uint64_t ends_identity(int fd);

#endif
