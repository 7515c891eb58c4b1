/* Whether os.fork() has returned: until then it may still count the process's threads, and warn. */
#ifndef TRACER_FORKING_H
#define TRACER_FORKING_H

/* With the GIL, from an at-fork function. */
void forking_begins(void);
int forking_lasts(void);

#endif
