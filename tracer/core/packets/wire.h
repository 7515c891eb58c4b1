/* Protobuf wire primitives: writing into a buffer that is known to be large enough. */
#ifndef TRACER_WIRE_H
#define TRACER_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VARINT(field) ((uint32_t)(field) << 3)
#define FIXED64(field) ((uint32_t)(field) << 3 | 1)
#define BYTES(field) ((uint32_t)(field) << 3 | 2)

static inline uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)value | 0x80;
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

static inline size_t varint_bytes(uint64_t value)
{
    size_t bytes = 1;
    while (value >>= 7)
        bytes++;
    return bytes;
}

/* A varint of up to three bytes, and their number: without a branch, since how many they are is hard to foretell. */
typedef struct {
    uint32_t bytes, length;
} short_varint;
enum { SHORT_LIMIT = 1 << 21 };

static inline short_varint short_varint_of(uint32_t value)
{
    static const uint32_t goes_on[] = {0, 0x80, 0x8080};
    uint32_t more = (uint32_t)(value >= 1 << 7) + (uint32_t)(value >= 1 << 14);
    uint32_t bytes = (value & 0x7f) | (value << 1 & 0x7f00) | (value << 2 & 0x7f0000);
    return (short_varint){bytes | goes_on[more], more + 1};
}

/* The same as put_varint(), quicker where the value mostly takes three bytes or less, or often one. There is room for four. */
static inline uint8_t *put_short_varint(uint8_t *p, uint64_t value)
{
    if (value < 1 << 7) {
        *p = (uint8_t)value;
        return p + 1;
    }
    if (value >= SHORT_LIMIT)
        return put_varint(p, value);
    short_varint made = short_varint_of((uint32_t)value);
    memcpy(p, &made.bytes, 4);
    return p + made.length;
}

static inline uint8_t *put_number(uint8_t *p, uint32_t field, uint64_t value)
{
    return put_varint(put_varint(p, VARINT(field)), value);
}

static inline uint8_t *put_bytes(uint8_t *p, uint32_t field, const void *bytes, size_t length)
{
    p = put_varint(put_varint(p, BYTES(field)), length);
    memcpy(p, bytes, length);
    return p + length;
}

static inline uint8_t *put_fixed64(uint8_t *p, uint32_t field, uint64_t value)
{
    p = put_varint(p, FIXED64(field));
    memcpy(p, &value, 8); /* little-endian hosts only, which compat.h's list implies */
    return p + 8;
}

/* A length-delimited field whose length is not known yet: one byte if `small`, else two (a
 * varint padded with a zero, which decoders accept). */
static inline uint8_t *open_field(uint8_t *p, uint32_t field, int small)
{
    return put_varint(p, BYTES(field)) + (small ? 1 : 2);
}

static inline void close_field(uint8_t *start, uint8_t *end, int small)
{
    size_t length = (size_t)(end - start);
    if (small) {
        start[-1] = (uint8_t)length;
    } else {
        start[-2] = (uint8_t)length | 0x80;
        start[-1] = (uint8_t)(length >> 7);
    }
}

#endif
