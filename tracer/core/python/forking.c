/* The call of os.fork() that is under way. */
#include "python/forking.h"

#include "python/compat.h"

static const compat_frame *forking_frame; /* the one that called it */

void forking_begins(void)
{
    forking_frame = *compat_frame_slot(PyThreadState_Get());
}

int forking_lasts(void)
{
    return compat_is_caller(PyThreadState_Get(), forking_frame);
}
