/* The table of watched code objects. */
#include "signals/watched.h"

watched_code watched[WATCHED];
static int count;

int watched_add(PyObject *code, watched_role *role)
{
    if (count == WATCHED_MOST)
        return -1;
    watched_code *place = watched_place(code);
    if (!place->code) {
        place->code = Py_NewRef(code);
        count++;
    }
    place->role = role;
    return 0;
}

void watched_forget(void)
{
    for (int i = 0; i < WATCHED; i++) {
        watched[i].role = NULL;
        Py_CLEAR(watched[i].code);
    }
    count = 0;
}

int watched_has(PyCodeObject *code)
{
    return watched_role_of((PyObject *)code) != NULL;
}

int watched_runs_steps(PyCodeObject *code)
{
    const watched_role *role = watched_role_of((PyObject *)code);
    return role && (role->loop_part == LOOP_RUNS_STEPS || role->loop_part == LOOP_RUNS_TRIO);
}
