/* The packets of the samples, field by field. Twin: decode.py. */
#include "samples.h"

#define INT31(number) ((int32_t)((number) & 0x7FFFFFFF))

int read_perf_defaults(Sequence *q, Span s)
{
    uint64_t tag;
    Value v;
    while (next_field(&s, &tag, &v)) {
        if (tag == 0) {
            return 1;
        }
        if (tag != BYTES(1)) {
            continue;
        }
        for (Span timebase = v.body;;) {
            if (!next_field(&timebase, &tag, &v)) {
                return 0;
            }
            if (tag == 0) {
                break;
            }
            if (tag == VARINT(2)) {
                q->hz = INT31(v.number);
            }
        }
    }
    return 0;
}

int read_frame(Decoder *d, Sequence *q, Span s)
{
    uint64_t tag, iid = 0;
    int32_t function = -1, path = -1, line = 0;
    Value v;
    while (next_field(&s, &tag, &v)) {
        switch (tag) {
        case 0: {
            int64_t index = d->frame_line.used / 4;
            if (push_i32(&d->frame_function, function) < 0 || push_i32(&d->frame_path, path) < 0
                || push_i32(&d->frame_line, line) < 0) {
                return -1;
            }
            return remember(q, iid, NAMES_FRAME, (int32_t)index);
        }
        case VARINT(1): iid = v.number; break;
        case VARINT(2): function = interned(q, v.number, NAMES_FUNCTION); break;
        case VARINT(5): path = interned(q, v.number, NAMES_PATH); break;
        case VARINT(6): line = INT31(v.number); break;
        }
    }
    return 0;
}

int read_stack(Decoder *d, Sequence *q, Span s)
{
    uint64_t tag, iid = 0;
    Py_ssize_t before = d->stack_frame.used;
    Value v;
    while (next_field(&s, &tag, &v)) {
        if (tag == 0) {
            int64_t index = d->stack_start.used / 4;
            if (push_i32(&d->stack_start, (int32_t)(before / 4)) < 0) {
                return -1;
            }
            return remember(q, iid, NAMES_STACK, (int32_t)index);
        }
        if (tag == VARINT(1)) {
            iid = v.number;
        } else if (tag == VARINT(2)) {
            int32_t frame = interned(q, v.number, NAMES_FRAME);
            if (frame >= 0 && push_i32(&d->stack_frame, frame) < 0) {
                return -1;
            }
        }
    }
    d->stack_frame.used = before;
    return 0;
}

int read_sample(Decoder *d, const Sequence *q, Span s, int64_t time)
{
    uint64_t tag;
    int32_t pid = 0, tid = 0, stack = -1;
    Value v;
    while (next_field(&s, &tag, &v)) {
        switch (tag) {
        case 0:
            if (stack < 0) {
                return 2;
            }
            return push_i64(&d->sample_time, time) < 0 || push_i32(&d->sample_pid, pid) < 0
                    || push_i32(&d->sample_tid, tid) < 0 || push_i32(&d->sample_hz, q->hz) < 0
                    || push_i32(&d->sample_stack, stack) < 0 ? -1 : 1;
        case VARINT(2): pid = INT31(v.number); break;
        case VARINT(3): tid = INT31(v.number); break;
        case VARINT(4): stack = interned(q, v.number, NAMES_STACK); break;
        }
    }
    return 0;
}
