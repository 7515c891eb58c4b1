/* What the processes of a family share: how many were started and have begun to record, and how much they have
 * written, and what they send each other (channels.h, streams.h).
 *
 * A file in the family's folder, mapped by each of them. A process that is killed leaves it right. */
#ifndef TRACER_FAMILY_H
#define TRACER_FAMILY_H

#include <stddef.h>
#include <stdint.h>

enum { FAMILY_PATH_BYTES = 4096 };

/* Children may record themselves from now on: in `folder`, which the first of them makes; NULL: they may not. All
 * together may write so many bytes, into `file` too, and be so many processes. Returns 0 or an errno. */
int family_follow(const char *folder, const char *file, uint64_t most_bytes, uint64_t most_members);
/* For a process that another one of the family has spawned: maps its page. Returns 0 or an errno. */
int family_rejoin(const char *folder);
/* Before a child is started. Returns whether it may record itself. */
int family_is_ready(void);
/* Why none may, an errno; 0: nothing is wrong. */
int family_error(void);
void family_count_child(void); /* one was started that is to record itself */
/* The number of this process, a child, from 1; 0 if there are as many as there may be. */
uint32_t family_enter(void);
void family_leave(void);         /* it has a number, but cannot record itself */
void family_count_program(void); /* a process that has a file has become another program, which has another one */
/* Counts bytes that are about to be written. Returns 0, or -1 if they would be too many: then they are not counted. */
int family_spend(size_t bytes);
/* How many children were to record themselves, how many began to, and how many programs processes became. */
void family_counts(uint64_t *asked, uint64_t *begun, uint64_t *programs);
const char *family_folder(void); /* "": children are not followed */

#endif
