/* Interned names as bytes: those of the schema, and any other. */
#include "packets/names.h"

#include "packets/wire.h"
#include "ring/text.h"
#include "schema.h"

enum { TEXT_LIMIT = 500 };

uint8_t *names_put_whole(uint8_t *p, uint32_t field, uint64_t iid, const char *text, size_t length)
{
    uint8_t *entry = open_field(p, field, 0);
    p = put_number(entry, SCHEMA_INTERNED_IID, iid);
    p = put_bytes(p, SCHEMA_INTERNED_NAME, text, length);
    close_field(entry, p, 0);
    return p;
}

uint8_t *names_put(uint8_t *p, uint32_t field, uint64_t iid, const char *text, size_t length)
{
    return names_put_whole(p, field, iid, text, text_fit(text, length, TEXT_LIMIT));
}

uint8_t *names_put_fixed(uint8_t *p)
{
    uint64_t iid = 0;
#define CATEGORY(name, text) p = names_put(p, SCHEMA_INTERNED_CATEGORIES, ++iid, text, sizeof text - 1);
#define NAME(name, text) p = names_put(p, SCHEMA_INTERNED_EVENT_NAMES, ++iid, text, sizeof text - 1);
#define ARGUMENT(name, text) p = names_put(p, SCHEMA_INTERNED_ANNOTATION_NAMES, ++iid, text, sizeof text - 1);
    SCHEMA_CATEGORIES(CATEGORY)
    iid = 0;
    SCHEMA_NAMES(NAME)
    iid = 0;
    SCHEMA_ARGS(ARGUMENT)
    return p;
}

uint8_t *names_put_heap(uint8_t *p)
{
    uint64_t iid = SCHEMA_CAT_HEAP - 1;
    SCHEMA_HEAP_CATEGORIES(CATEGORY)
    iid = SCHEMA_SAMPLING - 1;
    SCHEMA_HEAP_NAMES(NAME)
    iid = SCHEMA_ARG_BLOCK - 1;
    SCHEMA_HEAP_ARGS(ARGUMENT)
#undef CATEGORY
#undef NAME
#undef ARGUMENT
    return p;
}
