/* A file descriptor of the recorder, safe from the program and the program safe from it.
 *
 * It lies above the numbers that a program gets for its own files, is closed on exec, and is checked
 * before use: a program may close every descriptor it finds, and open others in their place. */
#ifndef TRACER_PRIVATE_FD_H
#define TRACER_PRIVATE_FD_H

#include <sys/stat.h>
#include <sys/types.h>

typedef struct {
    int fd; /* -1 = none */
    dev_t device;
    ino_t inode;
    int is_in_own_table; /* of the writer's thread (own_table.h): for the others it is not open */
} private_fd;

#define PRIVATE_FD_NONE ((private_fd){.fd = -1})

/* Moves `fd` (or opens `path`) out of the program's way; fd -1 in the result on failure. */
private_fd private_fd_take(int fd);
private_fd private_fd_open(const char *path);
/* The same for a moment: the program may see it, but the limit of descriptors is not raised meanwhile, which a child that
 * another thread starts would keep. For threads that do not have the GIL. */
private_fd private_fd_borrow(int fd);
private_fd private_fd_borrow_file(const char *path);
int private_fd_is_ours(const private_fd *file);
/* The same, and what the kernel says of it. */
int private_fd_look(const private_fd *file, struct stat *about);
void private_fd_close(private_fd *file);

/* --- for own_table.c --- */

int private_fd_has_room(void); /* above the numbers that the program can have */
/* The calling thread has a table of its own from now on, or nobody has. Returns whether one had. */
int private_fd_live_in_thread(int yes);
/* `file` has come into the calling thread's table. */
void private_fd_lives_here(private_fd *file);
int private_fd_lift(int fd); /* the number that `fd` has then */

#endif
