/* The table of streams that the processes of a family share. Nobody waits for anybody here: whoever is in somebody's
 * way leaves no note, which costs an arrow, not time. */
#include "ring/streams.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "ring/hot.h"
#include "ring/map.h"

enum { STREAMS = 512, TRIED = 8, MEMBERS = 1000 };

typedef struct {
    _Atomic uint64_t numbers;
    _Atomic uint32_t placed, members;
    _Atomic uint32_t pids[MEMBERS];
    _Atomic uint64_t pid_space;     /* inode of the first one's namespace of pids … */
    _Atomic uint32_t has_pid_spaces; /* … and others have another: a pid that is not there tells nothing */
    uint8_t pad[68];
    stream streams[STREAMS];
} stream_table;
static_assert(offsetof(stream_table, streams) % 128 == 0, "no two streams share a line of the cache");

static stream_table *_Atomic table; /* each function looks once: it may go meanwhile */
HOT_DATA int streams_on;

size_t streams_bytes(void)
{
    return sizeof(stream_table);
}

void streams_use(void *shared)
{
    table = shared;
    streams_on = shared != NULL;
}

const void *streams_table(void)
{
    return table;
}

static void note_pid_space(stream_table *all)
{
    struct stat own;
    uint64_t first = 0;
    if (stat("/proc/self/ns/pid", &own) < 0)
        return;
    if (!atomic_compare_exchange_strong(&all->pid_space, &first, (uint64_t)own.st_ino) && first != (uint64_t)own.st_ino)
        atomic_store(&all->has_pid_spaces, 1);
}

void streams_member(uint32_t pid)
{
    stream_table *all = table;
    if (all)
        note_pid_space(all);
    if (all && !streams_has_member(pid))
        atomic_store(&all->pids[atomic_fetch_add(&all->members, 1) % MEMBERS], pid);
}

int streams_has_member(uint32_t pid)
{
    stream_table *all = table;
    uint32_t count = all ? atomic_load(&all->members) : 0;
    for (uint32_t i = 0; i < MEMBERS && i < count; i++)
        if (atomic_load(&all->pids[i]) == pid)
            return 1;
    return 0;
}

uint32_t streams_placed(void)
{
    stream_table *all = table;
    return all ? atomic_load_explicit(&all->placed, memory_order_relaxed) : 0;
}

stream *streams_find(uint64_t key)
{
    stream_table *all = table;
    uint32_t at = map_hash(key);
    for (uint32_t i = 0; all && i < TRIED; i++) {
        stream *s = &all->streams[(at + i) % STREAMS];
        if (atomic_load(&s->key) == key)
            return s;
    }
    return NULL;
}

stream *streams_place(uint64_t key, uint64_t tick)
{
    stream_table *all = table;
    if (!all)
        return NULL;
    stream *found = streams_find(key), *oldest = NULL;
    uint32_t at = map_hash(key);
    for (uint32_t i = 0; !found && i < TRIED; i++) {
        stream *s = &all->streams[(at + i) % STREAMS];
        uint64_t known = 0;
        if (atomic_compare_exchange_strong(&s->key, &known, key) || known == key)
            found = s;
        else if (!oldest || atomic_load(&s->read_tick) < atomic_load(&oldest->read_tick))
            oldest = s;
    }
    if (!found) {
        uint64_t before = atomic_load(&oldest->key);
        if (!atomic_compare_exchange_strong(&oldest->key, &before, key))
            return NULL;
        uint64_t note = atomic_load(&oldest->note);
        if (note >= STREAM_FIRST_NUMBER)
            atomic_compare_exchange_strong(&oldest->note, &note, STREAM_NO_NOTE);
        atomic_store(&oldest->write_tick, 0);
        atomic_store(&oldest->writer, 0);
        atomic_store(&oldest->under_way, 0);
        atomic_store(&oldest->reader, 0);
        atomic_store(&oldest->is_shared, 0);
        found = oldest;
    }
    atomic_store(&found->read_tick, tick);
    atomic_fetch_add(&all->placed, 1);
    return found;
}

void streams_reads(stream *s, uint32_t process, uint32_t thread)
{
    if (__builtin_expect(atomic_load_explicit(&s->reader, memory_order_relaxed) == thread, 1))
        return;
    atomic_store(&s->reading_process, process);
    if (atomic_exchange(&s->reader, thread))
        atomic_store(&s->is_shared, 1);
}

/* Whether the only other writer is gone: then nobody else will count its end. Keeps errno. */
static int replaces_killed(stream *s, uint32_t thread)
{
    stream_table *all = table;
    uint32_t writer = atomic_load(&s->under_way);
    int error = errno;
    int is_gone = all && !atomic_load(&all->has_pid_spaces) && writer && writer != thread && kill((pid_t)writer, 0) && errno == ESRCH;
    errno = error;
    if (!is_gone || !atomic_compare_exchange_strong(&s->under_way, &writer, thread))
        return 0;
    atomic_fetch_sub(&s->writes, 1);
    return 1;
}

uint64_t streams_begin(stream *s, uint32_t thread)
{
    if (__builtin_expect(atomic_load_explicit(&s->writer, memory_order_relaxed) != thread, 0) &&
        atomic_exchange(&s->writer, thread))
        atomic_store(&s->is_shared, 1);
    uint64_t before = atomic_fetch_add(&s->writes, (1 << STREAM_UNDER_WAY_BITS) + 1);
    uint64_t others = before & UINT16_MAX;
    if (__builtin_expect(!others, 1))
        atomic_store_explicit(&s->under_way, thread, memory_order_relaxed);
    else if (others > 1 || !replaces_killed(s, thread))
        return 0;
    return (before >> STREAM_UNDER_WAY_BITS) + 1;
}

void streams_end(stream *s, uint32_t thread)
{
    if (__builtin_expect(atomic_load_explicit(&s->under_way, memory_order_relaxed) == thread, 1))
        atomic_store_explicit(&s->under_way, 0, memory_order_relaxed);
    atomic_fetch_sub_explicit(&s->writes, 1, memory_order_release);
}

static uint16_t check_of(const uint8_t *bytes, size_t size)
{
    uint64_t mixed = size;
    for (size_t i = 0; i < size; i++)
        mixed = (mixed ^ bytes[i]) * 0x100000001B3ull;
    mixed *= 0x9E3779B97F4A7C15ull;
    return (uint16_t)(mixed >> 48);
}

uint64_t streams_note(stream *s, const stream_write *write)
{
    stream_table *all = table;
    uint64_t none = STREAM_NO_NOTE;
    if (!all || !atomic_compare_exchange_strong(&s->note, &none, STREAM_NOTE_CHANGES))
        return 0;
    s->of_key = write->key;
    s->begun = write->begun;
    s->sent_tick = write->tick;
    s->bytes = write->bytes;
    s->edge_bytes = (uint8_t)(write->size < STREAM_EDGE ? write->size : STREAM_EDGE);
    s->check = check_of(write->data, s->edge_bytes);
    uint64_t number = STREAM_FIRST_NUMBER + atomic_fetch_add(&all->numbers, 1);
    atomic_store(&s->note, number);
    return number;
}

void streams_withdraw(stream *s, uint64_t number)
{
    atomic_compare_exchange_strong(&s->note, &number, STREAM_NO_NOTE);
}

int streams_take(stream *s, uint64_t key, const void *data, size_t size, stream_taken *taken)
{
    uint64_t number = atomic_load(&s->note);
    if (number < STREAM_FIRST_NUMBER || !atomic_compare_exchange_strong(&s->note, &number, STREAM_NOTE_CHANGES))
        return 0;
    *taken = (stream_taken){.number = number, .sent_tick = s->sent_tick, .bytes = s->bytes};
    int is_it = s->of_key == key && size >= s->edge_bytes && s->check == check_of(data, s->edge_bytes);
    if (atomic_load(&s->is_shared))
        is_it = is_it && atomic_load(&s->writes) >> STREAM_UNDER_WAY_BITS == s->begun;
    s->check = 0;
    atomic_store(&s->note, STREAM_NO_NOTE);
    return is_it;
}
