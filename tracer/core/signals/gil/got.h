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
/* A slot of one object: what it held, holds, and is to hold in the end. */
typedef struct {
    void **slot;
    void *before, *ours, *theirs;
    int is_read_only;
} got_change;

/* The same for the object at `inside` alone, with at most `most` slots, and without a word to got_patch(): our functions may
 * stand in front of those that it has put there. Returns the number of slots changed. */
int got_patch_object(const void *inside, const got_hook *hooks, int count, got_change *made, int most);
/* What our function in a slot is to call: what the slot held, if that is another of our hooks. It may also lead to the
 * loader, which would then write into the slot itself; so then `theirs`. */
void *got_below(const got_change *change);
/* Takes no lock: a forked child may call it. */
void got_undo(const got_change *made, int count);
/* Whether no thread is loading or unloading an object. In a forked child: was at the fork; if one was, the
 * child may wait for ever for the list of objects. */
int got_loads_nothing(void);
/* Whether objects were loaded since the last got_patch(). */
int got_is_stale(void);

#endif
