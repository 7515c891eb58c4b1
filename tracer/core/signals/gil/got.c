/* Walks the loaded objects' relocations and changes the slots of the functions we hook.
 *
 * Our own object, libc and the loader are left alone, so our calls go straight to libc. Objects
 * are remembered by address: each is searched once, when it has been loaded. A slot is only ever restored
 * if it still holds what we put there. */
#define _GNU_SOURCE
#include "signals/gil/got.h"

#include <dlfcn.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#define IS_POINTER_RELOCATION(type, addend) \
    ((type) == R_X86_64_JUMP_SLOT || (type) == R_X86_64_GLOB_DAT || ((type) == R_X86_64_64 && !(addend)))
#elif defined(__aarch64__)
#define IS_POINTER_RELOCATION(type, addend) \
    ((type) == R_AARCH64_JUMP_SLOT || (type) == R_AARCH64_GLOB_DAT || ((type) == R_AARCH64_ABS64 && !(addend)))
#else
#define IS_POINTER_RELOCATION(type, addend) 0
#endif

enum { OBJECTS = 2048, CHANGES = 4096, READ_ONLY_RANGES = 4, NEW_OBJECTS = 64, NAME_SIZE = 1024 };

typedef struct {
    uintptr_t from, to;
} range;

typedef struct {
    const got_hook *hooks;
    int count, restoring, changed;
    unsigned char begins[UCHAR_MAX + 1]; /* whether the name of a hook begins with this character */
    uintptr_t only; /* base of the object to search; restoring: all */
    got_change *made; /* where the changes are listed, if anywhere … */
    int most;         /* … this many */
} work;

/* Objects seen for the first time, which may be in the middle of being loaded. */
typedef struct {
    uintptr_t bases[NEW_OBJECTS];
    char names[NEW_OBJECTS][NAME_SIZE];
    int count;
} news;

typedef struct {
    uintptr_t base;
    const ElfW(Sym) *symbols;
    const char *names;
    const ElfW(Rela) *tables[2];
    size_t lengths[2];
    range read_only[READ_ONLY_RANGES];
    int read_only_count;
} object;

static uintptr_t searched[OBJECTS];
static int searched_count;
static _Atomic unsigned long long loads_seen;
/* What got_patch() has changed. Once it is more than that, or an object was unloaded, only a search finds all of it. */
static got_change changes[CHANGES];
static int change_count;
static unsigned long long unloads_before; /* number of unloads before the first change */

static uintptr_t page_of(void **slot)
{
    return (uintptr_t)slot & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

static int set_slot(void **slot, void *value, int is_read_only)
{
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE), page = page_of(slot);
    if (is_read_only && mprotect((void *)page, page_size, PROT_READ | PROT_WRITE))
        return 0;
    __atomic_store_n(slot, value, __ATOMIC_RELEASE);
    if (is_read_only)
        mprotect((void *)page, page_size, PROT_READ);
    return 1;
}

static int is_in_read_only(const object *o, uintptr_t address)
{
    int found = 0;
    for (int i = 0; i < o->read_only_count; i++)
        found |= address >= o->read_only[i].from && address < o->read_only[i].to;
    return found;
}

static void change(const object *o, work *w, const got_hook *hook, uintptr_t address)
{
    void **slot = (void **)address, *value = w->restoring ? hook->theirs : hook->ours;
    got_change made = {slot, *slot, value, hook->theirs, is_in_read_only(o, address)};
    if ((w->made && w->changed == w->most) || !set_slot(slot, value, made.is_read_only))
        return;
    if (w->made)
        w->made[w->changed] = made;
    else if (!w->restoring && change_count++ < CHANGES)
        changes[change_count - 1] = made;
    w->changed++;
}

static work work_with(const got_hook *hooks, int count)
{
    work w = {.hooks = hooks, .count = count};
    for (int i = 0; i < count; i++)
        w.begins[(unsigned char)hooks[i].name[0]] = 1;
    return w;
}

/* In an executable at a fixed address, as Debian's Python is, a function whose address it takes has the address of a stub
 * there, for all objects: the stub jumps by this slot, and our own calls come through it, too. */
static int is_everybodys(const ElfW(Sym) *symbol)
{
    return symbol->st_shndx == SHN_UNDEF && symbol->st_value;
}

static void search(const object *o, work *w)
{
    for (int t = 0; t < 2; t++)
        for (size_t i = 0; i < o->lengths[t]; i++) {
            const ElfW(Rela) *r = &o->tables[t][i];
            if (!IS_POINTER_RELOCATION(ELF64_R_TYPE(r->r_info), r->r_addend))
                continue;
            const ElfW(Sym) *symbol = &o->symbols[ELF64_R_SYM(r->r_info)];
            const char *name = o->names + symbol->st_name;
            if (is_everybodys(symbol))
                continue;
            if (!w->begins[(unsigned char)name[0]])
                continue; /* most of the names, and there are thousands */
            for (int k = 0; k < w->count; k++) {
                const got_hook *hook = &w->hooks[k];
                if (name[0] != hook->name[0] || strcmp(name, hook->name))
                    continue;
                uintptr_t address = o->base + r->r_offset;
                void *now = *(void **)address;
                if (w->restoring ? now == hook->ours : now != hook->ours)
                    change(o, w, hook, address);
                break;
            }
        }
}

/* The loader's own pointers are relocated on glibc but not on musl. */
static uintptr_t absolute(uintptr_t base, uintptr_t pointer)
{
    return pointer < base ? pointer + base : pointer;
}

static int read_object(const struct dl_phdr_info *info, object *o)
{
    const ElfW(Dyn) *dynamic = NULL;
    uintptr_t page_mask = ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    *o = (object){.base = info->dlpi_addr};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)from;
        if (p->p_type == PT_GNU_RELRO && o->read_only_count < READ_ONLY_RANGES)
            o->read_only[o->read_only_count++] = (range){from & page_mask, (from + p->p_memsz) & page_mask};
    }
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        uintptr_t pointer = absolute(o->base, dynamic->d_un.d_ptr);
        switch (dynamic->d_tag) {
        case DT_SYMTAB: o->symbols = (const ElfW(Sym) *)pointer; break;
        case DT_STRTAB: o->names = (const char *)pointer; break;
        case DT_RELA: o->tables[0] = (const ElfW(Rela) *)pointer; break;
        case DT_JMPREL: o->tables[1] = (const ElfW(Rela) *)pointer; break;
        case DT_RELASZ: o->lengths[0] = dynamic->d_un.d_val / sizeof(ElfW(Rela)); break;
        case DT_PLTRELSZ: o->lengths[1] = dynamic->d_un.d_val / sizeof(ElfW(Rela)); break;
        default: break;
        }
    }
    for (int t = 0; t < 2; t++)
        if (!o->tables[t])
            o->lengths[t] = 0;
    return o->symbols && o->names;
}

static int is_left_alone(const struct dl_phdr_info *info)
{
    static uintptr_t own;
    if (!own) {
        Dl_info about;
        own = dladdr((void *)(uintptr_t)got_patch, &about) ? (uintptr_t)about.dli_fbase : 1;
    }
    const char *name = info->dlpi_name;
    return info->dlpi_addr == own || strstr(name, "/ld-linux") || strstr(name, "linux-vdso") ||
           strstr(name, "/libc.so") || strstr(name, "/ld-musl");
}

static int visit(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    work *w = data;
    object o;
    if (is_left_alone(info) || (!w->restoring && info->dlpi_addr != w->only))
        return 0;
    if (read_object(info, &o))
        search(&o, w);
    return 0;
}

static int collect(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    news *found = data;
    atomic_store_explicit(&loads_seen, info->dlpi_adds, memory_order_relaxed);
    if (is_left_alone(info) || found->count == NEW_OBJECTS || strlen(info->dlpi_name) >= NAME_SIZE)
        return 0;
    for (int i = 0; i < searched_count; i++)
        if (searched[i] == info->dlpi_addr)
            return 0;
    found->bases[found->count] = info->dlpi_addr;
    strcpy(found->names[found->count++], info->dlpi_name);
    return 0;
}

static int read_unloads(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    *(unsigned long long *)data = info->dlpi_subs;
    return 1;
}

/* An object is visible before it is relocated, and must not be touched until then. Opening it by name
 * waits for the loader's lock, that is, for the end of any load; and an object with an open handle is
 * not unloaded meanwhile. */
int got_patch(const got_hook *hooks, int count)
{
    static news found;
    work w = work_with(hooks, count);
    if (!searched_count)
        dl_iterate_phdr(read_unloads, &unloads_before);
    do {
        found.count = 0;
        dl_iterate_phdr(collect, &found);
        for (int i = 0; i < found.count && searched_count < OBJECTS; i++) {
            searched[searched_count++] = found.bases[i];
            void *handle = dlopen(found.names[i][0] ? found.names[i] : NULL, RTLD_LAZY | RTLD_NOLOAD);
            if (!handle)
                continue;
            w.only = found.bases[i];
            dl_iterate_phdr(visit, &w);
            dlclose(handle);
        }
    } while (found.count == NEW_OBJECTS && searched_count < OBJECTS);
    return w.changed;
}

/* Slots of one read-only page mostly follow each other: it is opened once. Returns how many were changed. */
static int undo(const got_change *made, int count)
{
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE), open = 0;
    int changed = 0;
    for (int i = 0; i < count; i++) {
        if (*made[i].slot != made[i].ours)
            continue;
        uintptr_t page = made[i].is_read_only ? page_of(made[i].slot) : open;
        if (page != open) {
            if (open)
                mprotect((void *)open, page_size, PROT_READ);
            open = mprotect((void *)page, page_size, PROT_READ | PROT_WRITE) ? 0 : page;
            if (!open)
                continue;
        }
        __atomic_store_n(made[i].slot, made[i].theirs, __ATOMIC_RELEASE);
        changed++;
    }
    if (open)
        mprotect((void *)open, page_size, PROT_READ);
    return changed;
}

/* Nothing is unloaded while the loader calls this. Says -1 where the list is not all of it. */
static int undo_listed(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    int is_all = change_count <= CHANGES && info->dlpi_subs == unloads_before;
    *(int *)data = is_all ? undo(changes, change_count) : -1;
    return 1;
}

int got_restore(const got_hook *hooks, int count)
{
    int changed = -1;
    dl_iterate_phdr(undo_listed, &changed);
    if (changed < 0) {
        work w = work_with(hooks, count);
        w.restoring = 1;
        dl_iterate_phdr(visit, &w);
        changed = w.changed;
    }
    searched_count = change_count = 0;
    return changed;
}

int got_patch_object(const void *inside, const got_hook *hooks, int count, got_change *made, int most)
{
    Dl_info about;
    if (!dladdr(inside, &about))
        return 0;
    work w = work_with(hooks, count);
    w.only = (uintptr_t)about.dli_fbase;
    w.made = made;
    w.most = most;
    dl_iterate_phdr(visit, &w);
    return w.changed;
}

void *got_below(const got_change *change)
{
    Dl_info of_before, of_ours;
    int is_ours = dladdr(change->before, &of_before) && dladdr(change->ours, &of_ours) &&
                  of_before.dli_fbase == of_ours.dli_fbase;
    return is_ours ? change->before : change->theirs;
}

void got_undo(const got_change *made, int count)
{
    undo(made, count);
}

int got_loads_nothing(void)
{
#if defined(__GLIBC__)
    return _r_debug.r_state == RT_CONSISTENT;
#else
    return 1; /* musl holds its locks around a fork */
#endif
}

static int read_loads(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    *(unsigned long long *)data = info->dlpi_adds;
    return 1;
}

int got_is_stale(void)
{
    unsigned long long seen = atomic_load_explicit(&loads_seen, memory_order_relaxed), loads = seen;
    dl_iterate_phdr(read_loads, &loads);
    return loads != seen;
}
