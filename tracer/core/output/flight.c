/* Turns of a flight recording's files, its triggers and snapshots. */
#include "output/flight.h"

#include <errno.h>

#include "output/remarks.h"
#include "timeline/head.h"

int flight_rotate(flight *of, uint64_t ns, uint64_t start_ns)
{
    encoder *e = &of->line->out;
    segment_ring *ring = &of->ring;
    int error, fd, failed = of->file->error;
    uint64_t events = e->events;
    remarks_announce(of->line, ns, start_ns);
    timeline_head(of->line, ns);
    if (ring->count)
        ring->list[ring->count - 1].body_bytes = of->file->end.bytes;
    error = e->failed ? ENOMEM : segments_add(ring, ns, e->bytes, e->length, failed, &fd);
    e->events = events;
    encoder_flushed(e, 0);
    encoder_end_chunk(e); /* the body can do without the head */
    if (error)
        return error;
    of->bytes_before += of->file->end.bytes;
    of->lost_before += trace_file_lost(of->file, e);
    trace_file_close(of->file);
    error = trace_file_take(of->file, fd, events, ns);
    of->file->error = error;
    return error;
}

static flight *told_by; /* whose triggers these are: a snapshot knows no more than itself */

static void moment_written(snapshot *taken)
{
    triggers_written((moment *)taken);
    told_by->on_moment((moment *)taken);
}

static int ask_for(flight *of, moment *found)
{
    told_by = of;
    found->taken.written = moment_written;
    return snapshots_put(&found->taken);
}

void flight_look_for_triggers(flight *of, uint64_t ns, uint64_t rss_bytes)
{
    moment *found = triggers_look(of->line, ns, rss_bytes);
    if (!found)
        return;
    int is_sure = triggers_are_sure(found);
    if (!is_sure && found->looks == 1)
        of->ask_place(found->pthread);
    if (!is_sure || !ask_for(of, found))
        triggers_postpone();
}

snapshot *flight_snapshot_told(flight *of, uint64_t upto_ns, uint64_t ns)
{
    snapshot *wanted = snapshots_due(upto_ns);
    if (wanted && !wanted->trigger && of->ring.folder[0])
        wanted->suppressed = triggers_untold();
    if (wanted)
        remarks_snapshot(of->line, ns, wanted, of->ring.window_ns);
    return wanted;
}

void flight_copy(flight *of, uint64_t now_ns)
{
    uint64_t since_ns = now_ns > of->ring.window_ns ? now_ns - of->ring.window_ns : 0;
    if (of->ring.folder[0])
        snapshots_copy_segments(&of->ring, segments_since(&of->ring, since_ns), of->file->end.bytes);
    else
        snapshots_copy_file(of->file->fd.fd, of->file->end.bytes);
    of->ring.is_pinned = snapshots_are_copying();
}

void flight_finish_copying(flight *of)
{
    while (snapshots_are_copying())
        of->ring.is_pinned = snapshots_go_on();
}

void flight_ask_last(flight *of, uint64_t ns, snapshot *last)
{
    moment *found = triggers_left(ns);
    int is_asked = last && snapshots_put(last);
    if (found && (is_asked || !ask_for(of, found)))
        triggers_suppress();
}
