/* Glue of tracer._core: the module object and the method tables, one per file. */
#include "endings.h"
#include "moments.h"
#include "processes.h"
#include "python/codes.h"
#include "python/detached.h"
#include "python/forking.h"
#include "python/launch.h"
#include "python/stacks.h"
#include "python/utf8.h"
#include "recording.h"
#include "requests.h"
#include "ring/ring.h"
#include "sampler/methods.h"
#include "sampler/symbols.h"
#include "signals/asyncio/locks.h"
#include "signals/asyncio/found.h"
#include "signals/asyncio/loops.h"
#include "signals/asyncio/old_timers.h"
#include "signals/asyncio/permits.h"
#include "signals/asyncio/tasks.h"
#include "signals/asyncio/timers.h"
#include "signals/asyncio/unsent.h"
#include "signals/asyncio/uvloop.h"
#include "signals/billiard.h"
#include "signals/calls/calls.h"
#include "signals/calls/learn.h"
#include "signals/children.h"
#include "signals/failures.h"
#include "signals/gc.h"
#include "signals/gil/gil.h"
#include "signals/gil/loads.h"
#include "signals/greenlet/hub.h"
#include "signals/greenlet/switches.h"
#include "signals/greenlet/waits.h"
#include "signals/heap/asked.h"
#include "signals/heap/heap.h"
#include "signals/heap/retained.h"
#include "signals/heap/sites.h"
#include "signals/heap/variables.h"
#include "signals/jobs.h"
#include "signals/kernel/methods.h"
#include "signals/libraries.h"
#include "signals/locks/locks.h"
#include "signals/locks/reasons.h"
#include "signals/monitor.h"
#include "signals/reaped.h"
#include "signals/slices.h"
#include "signals/spawned.h"
#include "signals/threads.h"
#include "signals/trio/trio.h"
#include "signals/twisted/deferreds.h"
#include "signals/user/user.h"
#include "signals/where.h"
#include "testing.h"

/* Stacks are named first, while codes.c still knows the code. */
static code_dies *const on_code_death[] = {symbols_code_dies, stacks_code_dies, learn_code_dies, locks_code_dies,
                                           NULL};

static const forking_thread *const threads[] = {&recording_thread, &requests_thread, NULL};

static int exec_core(PyObject *module)
{
    PyMethodDef *tables[] = {
        asked_methods, async_locks_methods, billiard_methods, calls_methods, children_methods, codes_methods, deferreds_methods, detached_methods,
        endings_methods, failures_methods, forking_methods, gc_methods, gil_methods, found_methods,
        heap_methods, hub_methods, jobs_methods, kernel_methods,
        launch_methods, learn_methods, libraries_methods, loads_methods, locks_methods, loops_methods,
        moments_methods, monitor_methods, processes_methods, reaped_methods, reasons_methods, recording_methods, requests_methods,
        retained_methods, sampling_methods, sites_methods, slices_methods, spawned_methods, stacks_methods,
        old_timers_methods, permits_methods,
        timers_methods,
        unsent_methods,
        switches_methods, tasks_methods, testing_methods, threads_methods, trio_methods, user_methods, utf8_methods,
        uvloop_methods, variables_methods, waits_methods, where_methods,
    };
    codes_on_death(on_code_death);
    forking_watch(threads);
    launch_on_begin = recording_program_begins;
    recording_on_moment = moments_tell;
    recording_ask_place = moments_ask_place;
    ring_free_threaded = COMPAT_FREE_THREADED;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (PyModule_AddFunctions(module, tables[i]) < 0)
            return -1;
    return user_exec(module) < 0 || testing_exec(module) < 0 ? -1 : recording_exec(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec_core},
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tracer._core",
    .m_doc = "The recorder's C core. State is the process's, not the module object's.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
