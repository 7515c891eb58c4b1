/* The recorder's descriptors in a table of the writer's thread, where the program neither sees nor closes them.
 *
 * A thread that leaves the program's table gets a new one, which ends with it. But it has to end at each fork. So what it holds
 * is packed into the queue of one socket, which is all that the program's table has meanwhile, and only meanwhile: forked
 * children close it. The same way leads into the new table.
 *
 *   program's thread  pack, start the writer's thread, await it, drop
 *   writer's thread                            enter
 *   program's thread  offer           … await it, receive
 *   writer's thread          hand_over, end
 *
 * One call at a time; whoever calls sees to that. */
#ifndef TRACER_OWN_TABLE_H
#define TRACER_OWN_TABLE_H

#include <stddef.h>

#include "ring/private_fd.h"

/* Whether the limits leave no numbers that the program cannot have. Where there are some, they do. */
int own_table_is_needed(void);

/* From now on the descriptor there travels, whenever it is open. */
void own_table_keep(private_fd *where);

/* Moves those kept and `more` (numbers, of which those >= 0 are open) from the caller's table into the socket; they are -1 then.
 * Returns 0, or -1: everything is where it was. */
int own_table_pack(int *const *more, size_t count);
/* … and back, into the caller's table. Those that find no number there stay -1. */
void own_table_unpack(void);
int own_table_is_packed(void);

/* In the writer's thread, first of all: into a new table, and unpacks. Returns 0 where the kernel refuses; then it has unpacked
 * where it is. */
int own_table_enter(void);
/* The program's table lets go of the socket, which the thread has now. */
void own_table_drop(void);

/* A place to receive the socket at. Returns 0, or -1: the program's table has no room for it. */
int own_table_offer(void);
/* In the writer's thread: packs, and hands over. Returns 0, or -1: everything is where it was. */
int own_table_hand_over(int *const *more, size_t count);
void own_table_receive(void); /* when the thread has ended … */
void own_table_withdraw(void); /* … or has stayed */

/* In a forked child, before anything else closes what it has: those in the other table are not here. */
void own_table_forget(void);
/* The thread with a table of its own has ended for good. */
void own_table_end(void);

#endif
