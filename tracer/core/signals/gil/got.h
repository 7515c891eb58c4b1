/* Puts our functions in front of libc's, in the address tables (GOT) of loaded objects. */
#ifndef TRACER_GOT_H
#define TRACER_GOT_H

typedef struct {
    const char *name;
    void *ours;
    void *theirs;
} got_hook;

/* Patches every object loaded so far and not seen yet; call it again for those loaded later. Returns the
 * number of slots changed. Not from two threads at once. */
int got_patch(const got_hook *hooks, int count);
/* Restores each slot that still holds our function; returns how many. */
int got_restore(const got_hook *hooks, int count);
/* Whether objects were loaded since the last got_patch(). */
int got_is_stale(void);

#endif
