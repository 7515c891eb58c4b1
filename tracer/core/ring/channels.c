/* The table of pipes and socket pairs that the processes of a family share. Nobody waits for anybody here: whoever is in
 * somebody's way makes the count doubtful, which costs an arrow, not time. */
#define _GNU_SOURCE
#include "ring/channels.h"

#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#if defined(__linux__)
#include <linux/sockios.h>
#endif

#include "ring/map.h"
#include "ring/unix_peer.h"

/* How much of what was written into a unix socket its other end has not read. */
#if defined(SIOCOUTQ)
enum { UNREAD_OF_SOCKET = SIOCOUTQ };
#else
enum { UNREAD_OF_SOCKET = 0 }; /* it is never known, so nothing is counted */
#endif

enum { CHANNELS = 512, TRIED = 16, KEPT = 8, MOST_DOUBTS = 8, MOST_ASKED = 4 };
enum { DOUBTFUL, BEGINS, FIRST_EPOCH }; /* an epoch is one of these, or a number from FIRST_EPOCH on */

/* Of an inode: for what is read there. */
typedef struct {
    _Atomic uint64_t inode; /* 0: free */
    _Atomic uint64_t peer;  /* of a socket: where what is written here can be read */
    _Atomic uint64_t epoch; /* from one doubt to the next */
    _Atomic uint64_t used_ns;
    _Atomic uint64_t awaited_ns; /* since when somebody waits for a message that is not written yet; 0: nobody */
    _Atomic uint32_t written, was_read;
    _Atomic uint8_t is_written, is_read; /* at this moment */
    _Atomic uint16_t doubts;
    _Atomic uint32_t asked; /* how often the kernel did not tell a socket's other end */
    _Atomic uint64_t last[KEPT]; /* by number: number << 33 | is awaited << 32 | check */
} channel;

typedef struct {
    _Atomic uint64_t epochs;
    channel channels[CHANNELS];
} channel_table;

static channel_table *table;

size_t channels_bytes(void)
{
    return sizeof *table;
}

void channels_use(void *shared)
{
    table = shared;
}

/* --- what an end is --- */

/* The ends that a thread has used last, so that the kernel need not be asked each time what they are. It is asked again
 * when one was closed, and before there is an arrow: programs may close a descriptor in other ways. */
enum { SEEN = 16 };
enum end_kind { END_OTHER, END_PIPE, END_SOCKET };
typedef struct {
    channel_end end;
    uint32_t closes;
    uint8_t kind; /* enum end_kind */
    uint64_t inode;
} seen_end;

static _Thread_local seen_end seen[SEEN];
static _Atomic uint32_t closes = 1;

static seen_end ask(channel_end end)
{
    struct stat about;
    seen_end found = {.end = end, .closes = atomic_load(&closes)};
    if (fstat(end.fd, &about))
        return found;
    found.inode = (uint64_t)about.st_ino;
    found.kind = S_ISFIFO(about.st_mode) ? END_PIPE : S_ISSOCK(about.st_mode) ? END_SOCKET : END_OTHER;
    return found;
}

static seen_end look(channel_end end)
{
    if (end.fd < 0)
        return (seen_end){0};
    seen_end *known = &seen[end.fd % SEEN];
    if (known->end.fd != end.fd || known->end.whose != end.whose || known->closes != atomic_load(&closes))
        *known = ask(end);
    return *known;
}

static int is_still(const channel_message *m)
{
    seen_end now = ask(m->end);
    seen[m->end.fd % SEEN] = now;
    return now.inode == m->at;
}

uint64_t channels_inode(channel_end end)
{
    seen_end about = look(end);
    return about.kind ? about.inode : 0;
}

void channels_closed(void)
{
    atomic_fetch_add(&closes, 1);
}

/* --- places in the table --- */

static channel *find(uint64_t inode)
{
    uint32_t at = map_hash(inode);
    for (uint32_t i = 0; i < TRIED; i++) {
        channel *c = &table->channels[(at + i) % CHANNELS];
        if (atomic_load(&c->inode) == inode)
            return c;
    }
    return NULL;
}

/* The place of the inode, a free one, or that which was not used for longest. Somebody who still uses that one finds
 * another epoch there. */
static channel *place(uint64_t inode, uint64_t now_ns)
{
    channel *found = find(inode), *oldest = NULL;
    if (found)
        return found;
    uint32_t at = map_hash(inode);
    for (uint32_t i = 0; i < TRIED; i++) {
        channel *c = &table->channels[(at + i) % CHANNELS];
        uint64_t none = 0;
        if (atomic_compare_exchange_strong(&c->inode, &none, inode))
            return c;
        if (!oldest || atomic_load(&c->used_ns) < atomic_load(&oldest->used_ns))
            oldest = c;
    }
    uint64_t before = atomic_load(&oldest->inode);
    if (!atomic_compare_exchange_strong(&oldest->inode, &before, 0))
        return NULL;
    atomic_store(&oldest->epoch, DOUBTFUL);
    atomic_store(&oldest->peer, 0);
    atomic_store(&oldest->doubts, 0);
    atomic_store(&oldest->asked, 0);
    atomic_store(&oldest->used_ns, now_ns);
    uint64_t none = 0;
    return atomic_compare_exchange_strong(&oldest->inode, &none, inode) ? oldest : NULL;
}

static void doubt(channel *c)
{
    if (atomic_exchange(&c->epoch, DOUBTFUL) >= FIRST_EPOCH)
        atomic_fetch_add(&c->doubts, 1);
}

/* Counting begins when there is nothing to read. `question` is what to ask of `fd` for how much there is. */
static uint64_t begin(channel *c, int fd, unsigned long question)
{
    uint64_t epoch = DOUBTFUL;
    int waiting = -1;
    if (atomic_load(&c->doubts) >= MOST_DOUBTS || ioctl(fd, question, &waiting) || waiting)
        return DOUBTFUL;
    if (!atomic_compare_exchange_strong(&c->epoch, &epoch, BEGINS))
        return epoch;
    atomic_store(&c->written, 0);
    atomic_store(&c->was_read, 0);
    atomic_store(&c->awaited_ns, 0);
    atomic_store(&c->is_written, 0);
    atomic_store(&c->is_read, 0);
    epoch = FIRST_EPOCH + atomic_fetch_add(&table->epochs, 1);
    atomic_store(&c->epoch, epoch);
    return epoch;
}

void channels_pair(uint64_t one, uint64_t other)
{
    channel *a = table ? place(one, 0) : NULL, *b = a ? place(other, 0) : NULL;
    if (!b)
        return;
    atomic_store(&a->peer, other);
    atomic_store(&b->peer, one);
}

/* A socket's channel; its peer's may not be there. A socket that is not accepted yet has no peer. */
static channel *of_socket(uint64_t inode, uint64_t now_ns)
{
    channel *c = place(inode, now_ns);
    if (!c || atomic_load(&c->peer) || atomic_load(&c->asked) >= MOST_ASKED)
        return c;
    uint64_t peer = unix_peer(inode);
    channel *other = peer ? place(peer, now_ns) : NULL;
    if (!other) {
        atomic_fetch_add(&c->asked, 1);
        return c;
    }
    atomic_store(&other->peer, inode);
    atomic_store(&c->peer, peer);
    return c;
}

/* The channel that is read at an end; of a socket only if its other end is known. */
static channel *read_at(channel_end end, uint64_t now_ns, channel_message *m)
{
    if (!table)
        return NULL;
    seen_end about = look(end);
    m->end = end;
    m->at = m->inode = about.inode;
    channel *c = NULL;
    if (about.kind == END_PIPE)
        c = place(m->inode, now_ns);
    else if (about.kind == END_SOCKET && (c = of_socket(m->inode, now_ns)) && !atomic_load(&c->peer))
        c = NULL;
    if (c)
        atomic_store(&c->used_ns, now_ns);
    return c;
}

static channel *written_at(channel_end end, uint64_t now_ns, channel_message *m, unsigned long *question)
{
    if (!table)
        return NULL;
    seen_end about = look(end);
    channel *c = NULL;
    m->end = end;
    m->at = m->inode = about.inode;
    *question = FIONREAD;
    if (about.kind == END_PIPE) {
        c = place(m->inode, now_ns);
    } else if (about.kind == END_SOCKET && (c = of_socket(m->inode, now_ns))) {
        m->inode = atomic_load(&c->peer);
        *question = UNREAD_OF_SOCKET;
        atomic_store(&c->used_ns, now_ns);
        c = m->inode ? find(m->inode) : NULL;
    }
    if (c)
        atomic_store(&c->used_ns, now_ns);
    return c;
}

/* --- messages --- */

static void announce(channel *c, uint64_t now_ns)
{
    uint64_t nobody = 0;
    if (atomic_load(&c->written) == atomic_load(&c->was_read))
        atomic_compare_exchange_strong(&c->awaited_ns, &nobody, now_ns);
}

void channels_await(channel_end end, uint64_t now_ns)
{
    channel_message m = {0};
    channel *c = read_at(end, now_ns, &m);
    if (!c)
        return;
    uint64_t epoch = atomic_load(&c->epoch);
    if (epoch >= FIRST_EPOCH || begin(c, end.fd, FIONREAD) >= FIRST_EPOCH)
        announce(c, now_ns);
}

channel_message channels_write(channel_end end, uint32_t check, uint64_t now_ns, uint64_t least_ns)
{
    channel_message m = {0};
    unsigned long question;
    channel *c = written_at(end, now_ns, &m, &question);
    if (!c)
        return m;
    m.epoch = atomic_load(&c->epoch);
    if (m.epoch < FIRST_EPOCH)
        m.epoch = begin(c, end.fd, question);
    if (m.epoch < FIRST_EPOCH)
        return m;
    if (atomic_exchange(&c->is_written, 1))
        return doubt(c), m;
    m.channel = c;
    uint32_t number = atomic_fetch_add(&c->written, 1) + 1;
    uint64_t since_ns = atomic_load(&c->awaited_ns);
    if (since_ns && now_ns - since_ns >= least_ns && now_ns > since_ns)
        m.is_awaited = (number - 1) == atomic_load(&c->was_read);
    if (m.is_awaited && !is_still(&m)) {
        doubt(c);
        return (channel_message){0};
    }
    if (since_ns)
        atomic_store(&c->awaited_ns, 0);
    m.number = m.epoch << 32 | number;
    atomic_store(&c->last[number % KEPT], (uint64_t)(number & INT32_MAX) << 33 | (uint64_t)m.is_awaited << 32 | check);
    return m;
}

static int is_the_same(const channel_message *m)
{
    const channel *c = m->channel;
    return c && atomic_load(&c->epoch) == m->epoch;
}

void channels_written(const channel_message *m)
{
    if (m->channel && is_the_same(m))
        atomic_store(&((channel *)m->channel)->is_written, 0);
}

channel_message channels_read(channel_end end, uint64_t now_ns)
{
    channel_message m = {0};
    channel *c = read_at(end, now_ns, &m);
    if (!c)
        return m;
    m.channel = c;
    m.epoch = atomic_load(&c->epoch);
    if (m.epoch < FIRST_EPOCH)
        m.epoch = begin(c, end.fd, FIONREAD);
    if (m.epoch < FIRST_EPOCH)
        return m; /* to be looked at again when it was read */
    if (atomic_exchange(&c->is_read, 1))
        doubt(c);
    else
        announce(c, now_ns);
    return m;
}

int channels_was_read(channel_message *m, uint32_t check)
{
    channel *c = m->channel;
    if (!c)
        return 0;
    if (m->epoch < FIRST_EPOCH || !is_the_same(m)) { /* counting began while it was read: from this message on? */
        doubt(c);
        return 0;
    }
    uint32_t number = atomic_fetch_add(&c->was_read, 1) + 1;
    uint64_t kept = atomic_load(&c->last[number % KEPT]);
    int is_kept = kept >> 33 == (number & INT32_MAX);
    if ((int32_t)(atomic_load(&c->written) - number) < 0 || (is_kept && (uint32_t)kept != check)) {
        doubt(c);
        return 0;
    }
    m->number = m->epoch << 32 | number;
    atomic_store(&c->is_read, 0);
    if (!is_kept || !(kept >> 32 & 1) || !is_the_same(m))
        return 0;
    if (!is_still(m))
        doubt(c);
    return is_the_same(m);
}

void channels_doubt(const channel_message *m)
{
    if (m->channel)
        doubt(m->channel);
}
