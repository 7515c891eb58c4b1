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

static void let_go(kept_room *room)
{
    if (room && !--room->uses)
        free(room);
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
        let_go(k->open[i].room);
    for (uint32_t i = 0; i < k->lasting_count; i++)
        let_go(k->lasting[i].room);
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

/* Room that no other slice has. */
static kept_room *own_room(open_slice *slice, size_t size)
{
    kept_room *room = slice->room;
    if (room && room->uses == 1 && size <= room->capacity)
        return room;
    kept_room *made = size < UINT32_MAX ? malloc(sizeof *made + size) : NULL;
    if (!made)
        return NULL;
    *made = (kept_room){1, (uint32_t)size};
    let_go(room);
    return slice->room = made;
}

/* The arguments may hold text that lives no longer than the event. */
static int copy(open_slice *slice, const event *ev)
{
    size_t size = ev->arg_count * sizeof(arg) + ev->text_length;
    for (int i = 0; i < ev->arg_count; i++)
        size += (ev->args[i].type == ARG_TEXT ? ev->args[i].length : 0) + ev->args[i].label_length;
    slice->text = NULL;
    if (!size && !ev->text)
        return 0;
    kept_room *room = own_room(slice, size);
    if (!room)
        return -1;
    arg *args = room->args;
    char *to = (char *)&args[ev->arg_count];
    for (int i = 0; i < ev->arg_count; i++) {
        args[i] = ev->args[i];
        args[i].is_own = args[i].is_own && i + 1 == ev->arg_count;
        if (args[i].type == ARG_TEXT)
            args[i].text = move(&to, args[i].text, args[i].length);
        args[i].label = move(&to, args[i].label, args[i].label_length);
    }
    if (ev->text)
        slice->text = move(&to, ev->text, ev->text_length);
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
    slice->own = ev->arg_count ? (uint32_t)ev->args[ev->arg_count - 1].value : 0;
    return 0;
}

static open_slice *begin(kept_list *list, const event *ev)
{
    kept_track *k = kept_of(list, ev->on);
    open_slice *slice = k ? push(k) : NULL;
    if (!slice || fill(slice, ev) < 0)
        return NULL;
    k->depth++;
    watch(list, k);
    return slice;
}

void kept_plain(kept_list *list, track *on, uint64_t ns, uint8_t category, uint8_t name)
{
    kept_track *k = kept_of(list, on);
    open_slice *slice = k ? push(k) : NULL;
    if (!slice)
        return;
    *slice = (open_slice){.ns = ns, .category = category, .name = name, .room = slice->room};
    k->depth++;
    watch(list, k);
}

/* --- shapes --- */

static void say_as(open_slice *slice, const open_slice *other)
{
    if (slice->room != other->room) {
        let_go(slice->room);
        if (other->room)
            other->room->uses++;
    }
    *slice = *other;
}

int kept_shape(kept_list *list, uint32_t number, const open_slice *slice)
{
    if (!list->shaped && !(list->shaped = calloc(KEPT_SHAPES, sizeof *list->shaped)))
        return -1;
    say_as(&list->shaped[number], slice);
    return 0;
}

void kept_shaped(kept_list *list, uint32_t number, uint32_t own, track *on, uint64_t ns)
{
    kept_track *k = kept_of(list, on);
    open_slice *slice = k ? push(k) : NULL;
    if (!slice)
        return;
    say_as(slice, &list->shaped[number]);
    slice->ns = ns;
    slice->own = own;
    slice->is_told = 0;
    k->depth++;
    watch(list, k);
}

void kept_forget_shapes(kept_list *list)
{
    for (uint32_t i = 0; list->shaped && i < KEPT_SHAPES; i++)
        let_go(list->shaped[i].room);
    free(list->shaped);
    list->shaped = NULL;
}

static void last(kept_list *list, const event *ev)
{
    kept_track *k = kept_of(list, ev->on);
    if (k && !k->lasting)
        k->lasting = calloc(KEPT_LASTING, sizeof *k->lasting);
    if (k && k->lasting && k->lasting_count < KEPT_LASTING && fill(&k->lasting[k->lasting_count], ev) == 0)
        k->lasting_count++;
}

static void end(kept_list *list, track *on, uint64_t ns, const arg *args, uint32_t arg_count)
{
    kept_track *k = on->kept;
    if (!k || !k->depth)
        return;
    open_slice *slice = &k->open[--k->depth];
    if (list->ended && ns > slice->ns && ns - slice->ns >= list->notable_ns)
        list->ended(list->context, on, slice, ns, args, arg_count);
}

void kept_end(kept_list *list, track *on, uint64_t ns)
{
    end(list, on, ns, NULL, 0);
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

open_slice *kept_event(kept_list *list, const event *ev)
{
    if (ev->type == SCHEMA_TYPE_SLICE_BEGIN)
        return begin(list, ev);
    if (ev->type == SCHEMA_TYPE_SLICE_END)
        end(list, ev->on, ev->ns, ev->args, ev->arg_count);
    else if (ev->type == SCHEMA_TYPE_COUNTER)
        count(list, ev);
    else if (ev->lasts)
        last(list, ev);
    return NULL;
}
