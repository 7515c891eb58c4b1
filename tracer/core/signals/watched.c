/* The table of watched code objects. */
#include "signals/watched.h"

#include "ring/hot.h"

watched_code watched[WATCHED];
static int lines[WATCHED]; /* apart: hooks that look up a role want none */
HOT_DATA stack_ends watched_runners;
static int count, runner_count;

static int is_runner(const watched_role *role)
{
    return role->loop_part == LOOP_RUNS_STEPS || role->loop_part == LOOP_RUNS_TRIO;
}

int watched_add(PyObject *code, watched_role *role, int line)
{
    watched_code *place = watched_place(code);
    int is_new = is_runner(role) && !(place->role && is_runner(place->role));
    if (count == WATCHED_MOST || (is_new && runner_count == STACK_ENDS_MOST))
        return -1;
    if (is_new) {
        watched_runners.codes[runner_count++] = code;
        watched_runners.bits |= (uint64_t)1 << stack_end_place(code);
    }
    if (!place->code) {
        place->code = Py_NewRef(code);
        count++;
    }
    place->role = role;
    lines[place - watched] = line;
    return 0;
}

int watched_line_of(PyObject *code)
{
    return lines[watched_place(code) - watched];
}

void watched_forget(void)
{
    for (int i = 0; i < WATCHED; i++) {
        watched[i].role = NULL;
        Py_CLEAR(watched[i].code);
    }
    watched_runners = (stack_ends){0};
    count = runner_count = 0;
}

int watched_has(PyCodeObject *code)
{
    return watched_role_of((PyObject *)code) != NULL;
}
