/* Opening and closing the kernel's rings; what to say when it refuses. */
#define _GNU_SOURCE
#include "signals/kernel/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ring/clock.h"
#include "ring/private_fd.h"
#include "signals/kernel/counters.h"
#include "signals/kernel/rings.h"

enum { RING_PAGES = 64 }; /* 10,922 switches per CPU and pass at 4 KiB; halved when refused */

/* Newer than the headers this may be built with: bits of attr.read_format and of its flag word. */
enum { FORMAT_LOST = 1 << 4, FLAGS_OFFSET = 40 };
#define FLAG_INHERIT_THREAD (1ull << 35)

enum mode { MODE_OFF, MODE_RINGS, MODE_COUNTERS };

/* All anonymous files share one inode, so a perf descriptor is known by its event's id. */
typedef struct {
    int fd, cpu;
    uint64_t id;
} perf_event;

static struct {
    _Atomic int mode; /* enum mode */
    kernel_rings rings;
    perf_event *events;
    size_t event_count, capacity;
    size_t leaders[KERNEL_CPUS]; /* the event whose ring it is */
    size_t lengths[KERNEL_CPUS];
    size_t pages;     /* of the next ring */
    unsigned request; /* index into `requests` */
    uint64_t start_ns;
    int is_alone; /* no other thread is to be looked up */
    uint32_t opener; /* the thread that opened the rings, on a CPU then; 0 = reported */
} k;

/* --- refusals --- */

static const struct {
    int error;
    const char *why;
} refusals[] = {
    {EPERM, "blocked by the container's seccomp profile: add --cap-add PERFMON"},
    {EACCES, "not allowed: set kernel.perf_event_paranoid <= 2 or grant CAP_PERFMON"},
    {ENOSYS, "the kernel does not provide them"},
    {EMFILE, "one descriptor per thread and CPU is too many: raise ulimit -n"},
    {ENOMEM, "no locked memory for their buffers: raise ulimit -l or kernel.perf_event_mlock_kb"},
    {E2BIG, "more than 64 CPUs are not supported"},
};

static void explain(int error, char *why, size_t size)
{
    const char *reason = strerror(error);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (refusals[i].error == error)
            reason = refusals[i].why;
    snprintf(why, size, "counters only, no perf events: %s", reason);
}

/* --- opening --- */

/* What is requested, for kernels since 6.0, since 5.13, and older. Children of a fork are not wanted. */
static const struct {
    uint64_t read_format, flags;
} requests[] = {{FORMAT_LOST, FLAG_INHERIT_THREAD}, {0, FLAG_INHERIT_THREAD}, {0, 0}};

static int ask(pid_t tid, int cpu)
{
    for (;; k.request++) {
        struct perf_event_attr attr = {
            .type = PERF_TYPE_SOFTWARE,
            .size = sizeof attr,
            .config = PERF_COUNT_SW_DUMMY,
            .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
            .read_format = requests[k.request].read_format,
            .sample_id_all = 1,
            .context_switch = 1,
            .task = 1,
            .exclude_kernel = 1, /* what an unprivileged user may open */
            .exclude_hv = 1,
            .inherit = 1,
            .use_clockid = 1,
            .clockid = CLOCK_MONOTONIC,
        };
        uint64_t flags;
        memcpy(&flags, (char *)&attr + FLAGS_OFFSET, sizeof flags);
        flags |= requests[k.request].flags;
        memcpy((char *)&attr + FLAGS_OFFSET, &flags, sizeof flags);
        int fd = (int)syscall(SYS_perf_event_open, &attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
        if (fd >= 0 || errno != EINVAL || k.request + 1 == sizeof requests / sizeof *requests)
            return fd;
    }
}

static int is_ours(const perf_event *event)
{
    uint64_t id;
    return event->fd >= 0 && ioctl(event->fd, PERF_EVENT_IOC_ID, &id) == 0 && id == event->id;
}

/* The mapping keeps its event alive, also when the program closes the descriptor. */
static int map_ring(int cpu, size_t leader)
{
    int fd = k.events[leader].fd;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = MAP_FAILED;
    for (; k.pages; k.pages /= 2) {
        k.lengths[cpu] = (k.pages + 1) * page;
        memory = mmap(NULL, k.lengths[cpu], PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory != MAP_FAILED || errno != EPERM)
            break;
    }
    if (memory == MAP_FAILED)
        return k.pages ? errno : ENOMEM;
    k.leaders[cpu] = leader;
    k.rings.rings[cpu] = (kernel_ring){.page = memory, .data = (uint8_t *)memory + page,
                                       .size = k.pages * page, .last_ns = k.start_ns};
    return 0;
}

static int open_event(pid_t tid, int cpu)
{
    int fd = ask(tid, cpu);
    if (fd < 0) /* the CPU is offline, or the thread has ended */
        return errno == ENODEV || errno == ESRCH ? 0 : errno;
    private_fd moved = private_fd_take(fd);
    if (moved.fd < 0) {
        close(fd);
        return EMFILE;
    }
    perf_event event = {moved.fd, cpu, 0};
    if (k.event_count == k.capacity) {
        size_t capacity = k.capacity * 2 + 64;
        perf_event *events = realloc(k.events, capacity * sizeof *events);
        if (!events) {
            close(event.fd);
            return ENOMEM;
        }
        k.events = events;
        k.capacity = capacity;
    }
    int failed = ioctl(event.fd, PERF_EVENT_IOC_ID, &event.id) < 0 ? errno : 0;
    k.events[k.event_count++] = event;
    if (failed || !k.rings.rings[cpu].page)
        return failed ? failed : map_ring(cpu, k.event_count - 1);
    return ioctl(event.fd, PERF_EVENT_IOC_SET_OUTPUT, k.events[k.leaders[cpu]].fd) < 0 ? errno : 0;
}

static int open_thread(pid_t tid)
{
    int error = 0;
    for (int cpu = 0; cpu < (int)k.rings.count && !error; cpu++)
        error = open_event(tid, cpu);
    return error;
}

static int is_ignored(uint32_t tid)
{
    for (int i = 0; i < IGNORED_TIDS; i++)
        if (atomic_load(&k.rings.ignored[i]) == tid)
            return 1;
    return 0;
}

/* The calling thread comes first: its events own the rings. It holds the GIL, so Python cannot start a
 * thread meanwhile; one that native code starts right now may be missed. */
static int open_all(void)
{
    static long cpus; /* asking takes three calls of the kernel */
    if (!cpus)
        cpus = sysconf(_SC_NPROCESSORS_CONF);
    if (cpus > KERNEL_CPUS)
        return E2BIG;
    k.rings.count = cpus > 0 ? (uint32_t)cpus : 1;
    k.rings.pid = (uint32_t)getpid();
    k.pages = RING_PAGES;
    k.request = 0;
    k.start_ns = k.rings.told_ns = clock_ns_of(CLOCK_MONOTONIC);
    pid_t self = (pid_t)syscall(SYS_gettid);
    int error = open_thread(self);
    DIR *tasks = error || k.is_alone ? NULL : opendir("/proc/self/task");
    if (!error && !tasks && !k.is_alone)
        error = errno;
    for (struct dirent *entry; tasks && !error && (entry = readdir(tasks));) {
        pid_t tid = atoi(entry->d_name);
        if (tid > 0 && tid != self && !is_ignored((uint32_t)tid))
            error = open_thread(tid);
    }
    if (tasks)
        closedir(tasks);
    k.opener = (uint32_t)self;
    k.is_alone = 0;
    return error;
}

static void close_events(void)
{
    for (size_t i = 0; i < k.event_count; i++)
        if (is_ours(&k.events[i]))
            close(k.events[i].fd);
    free(k.events);
    k.events = NULL;
    k.event_count = k.capacity = 0;
}

static void close_rings(void)
{
    for (uint32_t i = 0; i < k.rings.count; i++)
        if (k.rings.rings[i].page)
            munmap(k.rings.rings[i].page, k.lengths[i]);
    memset(k.rings.rings, 0, sizeof k.rings.rings);
    k.rings.count = 0;
    close_events();
}

int kernel_start(int refusal, char *why, size_t size)
{
    if (atomic_load(&k.mode) != MODE_OFF) {
        snprintf(why, size, "they are recorded already");
        return EBUSY;
    }
    int error = refusal ? refusal : open_all();
    if (error) {
        close_rings();
        explain(error, why, size);
    }
    atomic_store(&k.mode, error ? MODE_COUNTERS : MODE_RINGS);
    return error;
}

static void stop(void)
{
    atomic_store(&k.mode, MODE_OFF);
    k.is_alone = 0;
    close_rings();
    kernel_count_forget();
}

void kernel_leave_parent(void)
{
    k.is_alone = 1;
}

/* The rings are not mapped in a child: the memory there now belongs to something else. */
void kernel_forget(void)
{
    atomic_store(&k.mode, MODE_OFF);
    memset(k.rings.rings, 0, sizeof k.rings.rings);
    k.rings.count = 0;
    close_events();
    kernel_count_forget();
}

static void ignore(uint32_t tid)
{
    static _Atomic unsigned count; /* the newest replaces the oldest */
    if (!is_ignored(tid))
        atomic_store(&k.rings.ignored[atomic_fetch_add(&count, 1) % IGNORED_TIDS], tid);
}

/* --- the consumer --- */

static uint64_t feed(uint64_t until_ns, kernel_handler *handler, void *context)
{
    if (atomic_load_explicit(&k.mode, memory_order_acquire) != MODE_RINGS)
        return UINT64_MAX;
    if (k.opener) {
        if (until_ns < k.start_ns)
            return k.start_ns;
        kernel_rings_tell(&k.rings, k.opener, k.start_ns, KERNEL_ON, 0, handler, context);
        k.opener = 0;
    }
    return kernel_rings_feed(&k.rings, until_ns, handler, context);
}

static int finish(kernel_handler *handler, void *context)
{
    if (atomic_load(&k.mode) != MODE_RINGS)
        return 0;
    uint64_t lost[KERNEL_CPUS] = {0};
    int closed = 0;
    for (size_t i = 0; i < k.event_count; i++) {
        const perf_event *event = &k.events[i];
        uint64_t values[2]; /* a meaningless count, and the number of lost records */
        if (!is_ours(event))
            closed += i != k.leaders[event->cpu];
        else if (requests[k.request].read_format && read(event->fd, values, sizeof values) == sizeof values)
            lost[event->cpu] += values[1];
    }
    for (uint32_t i = 0; i < k.rings.count; i++)
        if (lost[i] > k.rings.rings[i].lost)
            kernel_rings_tell(&k.rings, 0, k.rings.rings[i].last_ns, KERNEL_LOST,
                              lost[i] - k.rings.rings[i].lost, handler, context);
    return closed;
}

static size_t descriptors(int **numbers, size_t most)
{
    size_t found = 0;
    for (size_t i = 0; i < k.event_count && found < most; i++)
        if (is_ours(&k.events[i]))
            numbers[found++] = &k.events[i].fd;
    return found;
}

static int counts(void)
{
    return atomic_load_explicit(&k.mode, memory_order_relaxed) == MODE_COUNTERS;
}

const kernel_source_table kernel_source = {
    .feed = feed,
    .finish = finish,
    .counts = counts,
    .count = kernel_count,
    .forget = kernel_count_gone,
    .descriptors = descriptors,
    .ignore = ignore,
    .stop = stop,
};
