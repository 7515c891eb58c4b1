/* Speed-up of decode.py, the Python twin: trace bytes to event columns. */
#include "reading.h"
#include "samples.h"
#include "strings.h"

static int32_t find_track(Decoder *d, uint64_t uuid)
{
    Py_ssize_t count = d->uuids.used / 8;
    Known *known = &d->known[uuid % KNOWN];
    if (known->is_set && known->uuid == uuid) {
        return known->track;
    }
    Py_ssize_t track = uuids_put(&d->tracks, (const uint64_t *)d->uuids.data, uuid);
    if (track < 0 || (track == count && push_i64(&d->uuids, (int64_t)uuid) < 0)) {
        return -1;
    }
    *known = (Known){uuid, (int32_t)track, 1};
    return known->track;
}

static Py_ssize_t find_sequence(Decoder *d, uint64_t id)
{
    if (d->sequence_count && d->cached_id == id) {
        return d->cached_sequence;
    }
    int fresh;
    MapEntry *e = map_put(&d->sequence_ids, id, 0, d->sequence_count, &fresh);
    if (!e) {
        return -1;
    }
    if (fresh) {
        if (d->sequence_count == d->sequence_room) {
            Py_ssize_t room = d->sequence_room * 2 + 8;
            Sequence *grown = PyMem_RawRealloc(d->sequences, room * sizeof *grown);
            if (!grown) {
                PyErr_NoMemory();
                return -1;
            }
            d->sequences = grown;
            d->sequence_room = room;
        }
        memset(&d->sequences[d->sequence_count], 0, sizeof(Sequence));
        d->sequences[d->sequence_count].epoch = 1; /* 0 is an entry that was never set */
        d->sequences[d->sequence_count++].now_ns = -1;
    }
    d->cached_id = id;
    d->cached_sequence = e->value;
    return e->value;
}

static int read_packet(Span s, Packet *p)
{
    uint64_t tag;
    Value v;
    packet_clear(p);
    for (;;) {
        if (!next_field(&s, &tag, &v)) {
            return 0;
        }
        switch (tag) {
        case 0: return 1;
        case VARINT(8): p->timestamp = v.number; p->has_timestamp = 1; break;
        case VARINT(10): p->sequence_id = v.number; break;
        case VARINT(13): p->flags = v.number; break;
        case VARINT(58): p->clock_id = v.number; p->has_clock = 1; break;
        case BYTES(6): p->packet[P_SNAPSHOT] = v.body; break;
        case BYTES(59): p->packet[P_DEFAULTS] = v.body; break;
        case BYTES(12): p->packet[P_INTERNED] = v.body; break;
        case BYTES(11): p->packet[P_EVENT] = v.body; break;
        case BYTES(60): p->packet[P_DESCRIPTOR] = v.body; break;
        case BYTES(66): p->packet[P_SAMPLE] = v.body; break;
        }
    }
}

static int read_snapshot(Decoder *d, Sequence *q, Span s)
{
    uint64_t tag, clocks[CLOCK_BOOTTIME_ID + 1] = {0};
    int has_monotonic = 0;
    Value v;
    while (next_field(&s, &tag, &v)) {
        if (tag == 0) {
            if (!has_monotonic) {
                return 1;
            }
            for (int i = 0; i <= CLOCK_BOOTTIME_ID; i++) {
                if (clocks[i] > TIME_LIMIT) {
                    return 0;
                }
            }
            q->now_ns = (int64_t)clocks[CLOCK_MONOTONIC_ID];
            if (q->has_snapshot) {
                return 1;
            }
            q->has_snapshot = 1;
            return push_i64(&d->clock_mono, q->now_ns) < 0
                    || push_i64(&d->clock_real, (int64_t)clocks[CLOCK_REALTIME_ID]) < 0
                    || push_i64(&d->clock_boot, (int64_t)clocks[CLOCK_BOOTTIME_ID]) < 0 ? -1 : 1;
        }
        if (tag != BYTES(1)) {
            continue;
        }
        uint64_t id = 0, time = 0;
        for (Span clock = v.body;;) {
            if (!next_field(&clock, &tag, &v)) {
                return 0;
            }
            if (tag == 0) {
                break;
            }
            if (tag == VARINT(1)) {
                id = v.number;
            } else if (tag == VARINT(2)) {
                time = v.number;
            }
        }
        if (id <= CLOCK_BOOTTIME_ID) {
            clocks[id] = time;
            has_monotonic |= id == CLOCK_MONOTONIC_ID;
        }
    }
    return 0;
}

static int read_defaults(Sequence *q, Span s)
{
    uint64_t tag;
    Value v;
    while (next_field(&s, &tag, &v)) {
        if (tag == 0) {
            return 1;
        }
        if (tag == VARINT(58)) {
            q->clock_id = v.number;
        } else if (tag == BYTES(12)) {
            if (!read_perf_defaults(q, v.body)) {
                return 0;
            }
        } else if (tag == BYTES(11)) {
            for (Span event = v.body;;) {
                if (!next_field(&event, &tag, &v)) {
                    return 0;
                }
                if (tag == 0) {
                    break;
                }
                if (tag == VARINT(11)) {
                    q->track_uuid = v.number;
                }
            }
        }
    }
    return 0;
}

/* Whose texts the entries of this field are, -1 of none. */
static int names_of(uint64_t tag)
{
    switch (tag) {
    case BYTES(1): return NAMES_CATEGORY;
    case BYTES(2): return NAMES_EVENT;
    case BYTES(3): return NAMES_ANNOTATION;
    case BYTES(29): return NAMES_STRING;
    case BYTES(5): return NAMES_FUNCTION;
    case BYTES(18): return NAMES_PATH;
    default: return -1;
    }
}

static void fetch_names(const Pool *strings, Span s)
{
    uint64_t tag;
    Value v;
    while (next_field(&s, &tag, &v) && tag) {
        for (Span entry = names_of(tag) < 0 ? (Span){0} : v.body; next_field(&entry, &tag, &v) && tag;) {
            if (tag == BYTES(2)) {
                pool_fetch(strings, hash_bytes(v.body));
            }
        }
    }
}

static int read_interned(Decoder *d, Sequence *q, Span s)
{
    uint64_t tag;
    Value v;
    while (next_field(&s, &tag, &v)) {
        int which = names_of(tag);
        if (tag == 0) {
            return 1;
        }
        if (tag == BYTES(6) || tag == BYTES(7)) {
            int good = tag == BYTES(6) ? read_frame(d, q, v.body) : read_stack(d, q, v.body);
            if (good != 1) {
                return good;
            }
        }
        if (which < 0) {
            continue;
        }
        uint64_t iid = 0;
        Span text = {s.at, s.at};
        for (Span entry = v.body;;) {
            if (!next_field(&entry, &tag, &v)) {
                return 0;
            }
            if (tag == 0) {
                break;
            }
            if (tag == VARINT(1)) {
                iid = v.number;
            } else if (tag == BYTES(2)) {
                text = v.body;
            }
        }
        Py_ssize_t string = pool_add(&d->strings, text, 0);
        if (string < 0 || remember(q, iid, which, (int32_t)string) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Appends one argument; leaves out one without a name or without a simple value. */
static int read_annotation(Decoder *d, const Sequence *q, Span s)
{
    uint64_t tag, value = 0;
    int32_t name = -1;
    int kind = 0;
    Value v;
    while (next_field(&s, &tag, &v)) {
        Py_ssize_t string;
        switch (tag) {
        case 0:
            if (name < 0 || !kind) {
                return 1;
            }
            return push_i32(&d->arg_name, name) < 0 || push_u8(&d->arg_kind, (uint8_t)kind) < 0
                    || push_i64(&d->arg_value, (int64_t)value) < 0 ? -1 : 1;
        case VARINT(1): name = interned(q, v.number, NAMES_ANNOTATION); break;
        case VARINT(2): kind = ARG_KIND_BOOL; value = v.number != 0; break;
        case VARINT(3): kind = ARG_KIND_UINT; value = v.number; break;
        case VARINT(4): kind = ARG_KIND_INT; value = v.number; break;
        case FIXED64(5): kind = ARG_KIND_DOUBLE; value = v.number; break;
        case VARINT(17):
            string = interned(q, v.number, NAMES_STRING);
            kind = string < 0 ? 0 : ARG_KIND_STRING;
            value = (uint64_t)string;
            break;
        case BYTES(6):
        case BYTES(10):
            string = pool_add(&d->strings, v.body, 0);
            if (string < 0) {
                return -1;
            }
            if (tag == BYTES(10)) {
                name = (int32_t)string;
            } else {
                kind = ARG_KIND_STRING;
                value = (uint64_t)string;
            }
            break;
        }
    }
    return 0;
}

static int read_event(Decoder *d, const Sequence *q, Span s, int64_t time)
{
    uint64_t tag, uuid = q->track_uuid, type = 0, counter = 0;
    int32_t name = -1, category = -1, event = (int32_t)d->type.used;
    int32_t first_arg = (int32_t)d->arg_kind.used;
    int has_category = 0, has_counter = 0, is_double = 0;
    Value v;
    for (;;) {
        if (!next_field(&s, &tag, &v)) {
            return 0;
        }
        int good = 1;
        switch (tag) {
        case 0: goto parsed;
        case VARINT(9): type = v.number; break;
        case VARINT(10): name = interned(q, v.number, NAMES_EVENT); break;
        case VARINT(11): uuid = v.number; break;
        case VARINT(30):
        case FIXED64(44):
            counter = v.number;
            has_counter = 1;
            is_double = tag == FIXED64(44);
            break;
        case VARINT(3):
            if (!has_category) {
                category = interned(q, v.number, NAMES_CATEGORY);
                has_category = 1;
            }
            break;
        case BYTES(22):
        case BYTES(23): {
            Py_ssize_t string = pool_add(&d->strings, v.body, 0);
            if (string < 0) {
                return -1;
            }
            if (tag == BYTES(23)) {
                name = (int32_t)string;
            } else if (!has_category) {
                category = (int32_t)string;
                has_category = 1;
            }
            break;
        }
        case BYTES(4): good = read_annotation(d, q, v.body); break;
        case FIXED64(47):
        case FIXED64(48):
            if (push_i32(&d->flow_event, event) < 0 || push_i64(&d->flow_id, v.number) < 0
                || push_u8(&d->flow_end, tag == FIXED64(48)) < 0) {
                return -1;
            }
            break;
        }
        if (good != 1) {
            return good;
        }
    }
parsed:
    if (type < TYPE_BEGIN || type > TYPE_COUNTER) {
        return 3;
    }
    int32_t track = find_track(d, uuid);
    if (track < 0 || push_i64(&d->time, time) < 0 || push_u8(&d->type, (uint8_t)type) < 0
        || push_i32(&d->track, track) < 0 || push_i32(&d->name, name) < 0
        || push_i32(&d->category, category) < 0
        || push_i32(&d->arg_start, first_arg) < 0) {
        return -1;
    }
    if (has_counter && (push_i32(&d->counter_event, event) < 0
                        || push_i64(&d->counter_value, (int64_t)counter) < 0
                        || push_u8(&d->counter_is_double, (uint8_t)is_double) < 0)) {
        return -1;
    }
    return 1;
}

/* Like read_event, but removes what a malformed event had appended. */
static int use_event(Decoder *d, const Sequence *q, Span body, int64_t time)
{
    Py_ssize_t args = d->arg_kind.used, flows = d->flow_end.used;
    int good = read_event(d, q, body, time);
    if (good != 1) { /* what it had appended already */
        d->arg_name.used = args * 4;
        d->arg_kind.used = args;
        d->arg_value.used = args * 8;
        d->flow_event.used = flows * 4;
        d->flow_id.used = flows * 8;
        d->flow_end.used = flows;
    }
    return good == 3 ? 1 : good; /* 3: a type of event that this reader does not use */
}

/* Applies one packet: 1 used, 0 malformed, 2 skipped (its sequence is not readable), -1 error. */
static int apply_packet(Decoder *d, const Packet *p)
{
    Py_ssize_t index = find_sequence(d, p->sequence_id);
    if (index < 0) {
        return -1;
    }
    Sequence *q = &d->sequences[index];
    if (p->flags & 1) {
        forget_all(q);
        q->now_ns = -1;
        q->track_uuid = q->clock_id = 0;
        q->hz = 0;
        q->ready = 1;
    }
    int good = 1;
    if (p->packet[P_SNAPSHOT].at && (good = read_snapshot(d, q, p->packet[P_SNAPSHOT])) != 1) {
        return good;
    }
    if (p->packet[P_DEFAULTS].at && (good = read_defaults(q, p->packet[P_DEFAULTS])) != 1) {
        return good;
    }
    if (p->packet[P_INTERNED].at && (good = read_interned(d, q, p->packet[P_INTERNED])) != 1) {
        return good;
    }
    if (p->packet[P_DESCRIPTOR].at
        && pool_put(&d->descriptors, p->packet[P_DESCRIPTOR], p->described, d->packets) < 0) {
        return -1;
    }
    uint64_t clock = p->has_clock ? p->clock_id : q->clock_id;
    int64_t time = -1;
    if (clock == CLOCK_DELTA_ID && q->now_ns >= 0) {
        if (p->timestamp > TIME_LIMIT - (uint64_t)q->now_ns) {
            return 0;
        }
        time = q->now_ns += (int64_t)p->timestamp;
    } else if (clock == CLOCK_MONOTONIC_ID && p->has_timestamp) {
        if (p->timestamp > TIME_LIMIT) {
            return 0;
        }
        time = (int64_t)p->timestamp;
    }
    if (!p->packet[P_EVENT].at && !p->packet[P_SAMPLE].at) {
        return 1;
    }
    if (!q->ready || time < 0) {
        return 2;
    }
    if (p->packet[P_EVENT].at && (good = use_event(d, q, p->packet[P_EVENT], time)) != 1) {
        return good;
    }
    return p->packet[P_SAMPLE].at ? read_sample(d, q, p->packet[P_SAMPLE], time) : 1;
}

/* What is inside the next packet; the file goes on behind it. Nowhere when the framing ends. */
static inline Span next_packet(Span file)
{
    uint64_t length;
    Span rest = {file.at + (file.at < file.end), file.end};
    if (file.at == file.end || *file.at != BYTES(1) || !read_varint(&rest, &length)
        || length > (uint64_t)(rest.end - rest.at)) {
        return (Span){0};
    }
    return (Span){rest.at, rest.at + length};
}

/* Reads the next packet ahead of when it is applied. 0 when the framing ends or breaks. */
static int look_ahead(const Decoder *d, Span file, Ahead *next)
{
    Span body = next_packet(file);
    if (!body.at) {
        return 0;
    }
    Packet *p = &next->packet;
    next->head = file.at;
    next->end = body.end;
    next->is_good = read_packet(body, p);
    if (p->packet[P_INTERNED].at) {
        fetch_names(&d->strings, p->packet[P_INTERNED]);
    }
    if (p->packet[P_DESCRIPTOR].at) {
        p->described = hash_bytes(p->packet[P_DESCRIPTOR]);
        pool_fetch(&d->descriptors, p->described);
    }
    return 1;
}

enum { SAMPLE = 16 };

/* Reads packets until the framing ends or breaks; returns the bytes framed, -1 on error. */
static Py_ssize_t decode_all(Decoder *d, const uint8_t *data, Py_ssize_t size)
{
    Span file = {data, data + size};
    const uint8_t *sampled = data + size / SAMPLE; /* the rest is taken to be like this part */
    Ahead ahead[ON_THE_WAY];
    Py_ssize_t begun = 0;
    while (d->type.used < INT32_MAX && d->arg_kind.used < INT32_MAX / 2) {
        while (begun - d->packets < ON_THE_WAY && look_ahead(d, file, &ahead[begun % ON_THE_WAY])) {
            file.at = ahead[begun++ % ON_THE_WAY].end;
        }
        if (begun == d->packets) {
            break;
        }
        const Ahead *now = &ahead[d->packets % ON_THE_WAY];
        if (now->end > sampled) {
            sampled = file.end;
            for (Column *c = &d->time; c < (Column *)&d->strings; c++) {
                if (column_reserve(c, SAMPLE * c->used) < 0) {
                    return -1;
                }
            }
        }
        int good = now->is_good ? apply_packet(d, &now->packet) : 0;
        if (good < 0) {
            return -1;
        }
        if (good == 0) { /* times and names may depend on it: wait for the next chunk heads */
            for (Py_ssize_t i = 0; i < d->sequence_count; i++) {
                d->sequences[i].ready = 0;
            }
        }
        if (good != 1) {
            d->skipped += now->end - now->head;
        }
        d->packets++;
        if ((d->packets & 0xFFFFF) == 0 && PyErr_CheckSignals() < 0) {
            return -1;
        }
    }
    return (begun > d->packets ? ahead[d->packets % ON_THE_WAY].head : file.at) - data;
}

/* Where each descriptor is, and when it was last seen. */
static int put_descriptors(Decoder *d, const uint8_t *data)
{
    const Pool *pool = &d->descriptors;
    for (Py_ssize_t i = 0; i < pool->count; i++) {
        Span s = pool->items[i];
        if (push_i64(&d->descriptor_at, s.at - data) < 0
            || push_i64(&d->descriptor_bytes, s.end - s.at) < 0
            || push_i64(&d->descriptor_packet, pool->last[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static void decoder_free(Decoder *d)
{
    Column *columns = &d->time;
    for (Column *c = columns; c < (Column *)&d->strings; c++) {
        Py_CLEAR(c->bytes);
    }
    for (Py_ssize_t i = 0; i < d->sequence_count; i++) {
        sequence_free(&d->sequences[i]);
    }
    Pool *pools[] = {&d->strings, &d->descriptors};
    for (int i = 0; i < 2; i++) {
        PyMem_RawFree(pools[i]->slots.all);
        PyMem_RawFree(pools[i]->items);
        PyMem_RawFree(pools[i]->last);
    }
    uuids_free(&d->tracks);
    map_free(&d->sequence_ids);
    PyMem_RawFree(d->sequences);
}

PyObject *framed(PyObject *module, PyObject *arg)
{
    (void)module;
    Py_buffer buffer;
    if (PyObject_GetBuffer(arg, &buffer, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const uint8_t *data = buffer.buf;
    Span file = {data, data + buffer.len}, packet;
    while ((packet = next_packet(file)).at) {
        file.at = packet.end;
    }
    Py_ssize_t size = file.at - data;
    PyBuffer_Release(&buffer);
    return PyLong_FromSsize_t(size);
}

PyObject *decode(PyObject *module, PyObject *arg)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(arg, &buffer, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    /* In the order of the Column members of Decoder. */
    static const char *const formats[] = {"q", "B", "i", "i", "i", "i", "i", "B",
                                          "q", "i", "q", "B", "i", "Q", "B", "Q", "q", "i",
                                          "i", "i", "i", "i", "i", "i", "i", "i", "q", "q",
                                          "q", "q", "q", "q"};
    enum { COLUMNS = sizeof formats / sizeof *formats };
    static_assert(offsetof(Decoder, strings) == COLUMNS * sizeof(Column), "one format each");
    Decoder d = {0};
    PyObject *result = NULL, *texts = NULL;
    Py_ssize_t framed = decode_all(&d, buffer.buf, buffer.len);
    if (framed < 0 || push_i32(&d.arg_start, (int32_t)d.arg_kind.used) < 0
        || push_i32(&d.stack_start, (int32_t)(d.stack_frame.used / 4)) < 0
        || put_descriptors(&d, buffer.buf) < 0 || !(texts = strings_of(module, &d.strings))) {
        goto done;
    }
    result = PyTuple_New(COLUMNS + 5);
    for (int i = 0; result && i < COLUMNS + 5; i++) {
        PyObject *item;
        switch (i - COLUMNS) {
        case 0: item = Py_NewRef(texts); break;
        case 1: item = PyLong_FromSsize_t(framed); break;
        case 2: item = PyLong_FromLongLong(d.skipped); break;
        case 3: item = PyLong_FromLongLong(d.packets); break;
        case 4: item = PyBool_FromLong(((Strings *)texts)->is_plain); break;
        default: item = column_view(&(&d.time)[i], formats[i]);
        }
        if (!item) {
            Py_CLEAR(result);
            break;
        }
        PyTuple_SET_ITEM(result, i, item);
    }
done:
    Py_XDECREF(texts);
    decoder_free(&d);
    PyBuffer_Release(&buffer);
    return result;
}
