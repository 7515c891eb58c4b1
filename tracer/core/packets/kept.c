/* Follows what is open on each track. */
#include "packets/kept.h"

#include <stdlib.h>
#include <string.h>

static kept_track *kept_of(kept_list *list, track *on)
{
    kept_track *k = on->kept;
    if (k || !(k = calloc(1, sizeof *k)))
        return k;
    k->of = on;
    k->next = list->first;
    k->link = &list->first;
    if (k->next)
        k->next->link = &k->next;
    list->first = k;
    on->kept = k;
    return k;
}

static void watch(kept_list *list, kept_track *k)
{
    if (k->watched_link || !list->ended || list->notable_ns == UINT64_MAX)
        return;
    k->watched_next = list->watched;
    k->watched_link = &list->watched;
    if (k->watched_next)
        k->watched_next->watched_link = &k->watched_next;
    list->watched = k;
}

void kept_unwatch(kept_track *k)
{
    if (!k->watched_link)
        return;
    *k->watched_link = k->watched_next;
    if (k->watched_next)
        k->watched_next->watched_link = k->watched_link;
    k->watched_link = NULL;
}

void kept_free(kept_track *k)
{
    if (!k)
        return;
    kept_unwatch(k);
    *k->link = k->next;
    if (k->next)
        k->next->link = k->link;
    for (uint32_t i = 0; i < k->capacity; i++)
        free(k->open[i].room);
    for (uint32_t i = 0; i < k->lasting_count; i++)
        free(k->lasting[i].room);
    free(k->lasting);
    free(k->open);
    free(k);
}

static open_slice *push(kept_track *k)
{
    if (k->depth == k->capacity) {
        uint32_t capacity = k->capacity * 2 + 2;
        open_slice *grown = realloc(k->open, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + k->capacity, 0, (capacity - k->capacity) * sizeof *grown);
        k->open = grown;
        k->capacity = capacity;
    }
    return &k->open[k->depth];
}

static const char *move(char **to, const char *text, size_t length)
{
    char *at = *to;
    if (!length)
        return at;
    memcpy(at, text, length);
    *to += length;
    return at;
}

/* The arguments may hold text that lives no longer than the event. */
static int copy(open_slice *slice, const event *ev)
{
    size_t size = ev->arg_count * sizeof(arg) + ev->text_length;
    for (int i = 0; i < ev->arg_count; i++)
        size += (ev->args[i].type == ARG_TEXT ? ev->args[i].length : 0) + ev->args[i].label_length;
    if (size > slice->capacity) {
        char *room = realloc(slice->room, size);
        if (!room)
            return -1;
        slice->room = room;
        slice->capacity = size;
    }
    arg *args = (arg *)slice->room;
    char *to = slice->room + ev->arg_count * sizeof(arg);
    for (int i = 0; i < ev->arg_count; i++) {
        args[i] = ev->args[i];
        if (args[i].type == ARG_TEXT)
            args[i].text = move(&to, args[i].text, args[i].length);
        args[i].label = move(&to, args[i].label, args[i].label_length);
    }
    slice->text = ev->text ? move(&to, ev->text, ev->text_length) : NULL;
    return 0;
}

static int fill(open_slice *slice, const event *ev)
{
    if (copy(slice, ev) < 0)
        return -1;
    slice->ns = ev->ns;
    slice->category = ev->category;
    slice->name = ev->name;
    slice->name_id = ev->name_id;
    slice->text_length = ev->text_length;
    slice->arg_count = ev->arg_count;
    slice->is_told = 0;
    return 0;
}

static void begin(kept_list *list, const event *ev)
{
    kept_track *k = kept_of(list, ev->on);
    open_slice *slice = k ? push(k) : NULL;
    if (slice && fill(slice, ev) == 0) {
        k->depth++;
        watch(list, k);
    }
}

static void last(kept_list *list, const event *ev)
{
    kept_track *k = kept_of(list, ev->on);
    if (k && !k->lasting)
        k->lasting = calloc(KEPT_LASTING, sizeof *k->lasting);
    if (k && k->lasting && k->lasting_count < KEPT_LASTING && fill(&k->lasting[k->lasting_count], ev) == 0)
        k->lasting_count++;
}

void kept_end(kept_list *list, track *on, uint64_t ns)
{
    kept_track *k = on->kept;
    if (!k || !k->depth)
        return;
    open_slice *slice = &k->open[--k->depth];
    if (list->ended && ns > slice->ns && ns - slice->ns >= list->notable_ns)
        list->ended(list->context, on, slice, ns);
}

static void count(kept_list *list, const event *ev)
{
    kept_track *k = kept_of(list, ev->on);
    if (!k)
        return;
    k->has_counter = 1;
    k->counter = ev->counter;
    k->counter_is_double = ev->counter_is_double;
}

void kept_event(kept_list *list, const event *ev)
{
    if (ev->type == SCHEMA_TYPE_SLICE_BEGIN)
        begin(list, ev);
    else if (ev->type == SCHEMA_TYPE_SLICE_END)
        kept_end(list, ev->on, ev->ns);
    else if (ev->type == SCHEMA_TYPE_COUNTER)
        count(list, ev);
    else if (ev->lasts)
        last(list, ev);
}
