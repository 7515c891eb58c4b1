/* Which functions run at every step of a task and at every release of the GIL, and which hardly ever: the compiler lays
 * the first ones side by side. A program is in its own code meanwhile, so each page and line of ours that a hook needs
 * is one that it has to fetch. */
#ifndef TRACER_HOT_H
#define TRACER_HOT_H

#define HOT __attribute__((hot))
#define ALONE __attribute__((noinline)) /* not copied to where it is called */
#define HOT_ALONE __attribute__((hot, noinline))
/* What nearly every hook reads and hardly anything changes: side by side in memory, for the same reason. */
#define HOT_DATA __attribute__((section("tracer_hot_data")))
/* Copied to where it is called, for what the compiler knows there: the caller's constants decide its branches. */
#define WITHIN inline __attribute__((always_inline))
#define COLD __attribute__((cold, noinline))
/* The compiler need not look whether a pointer into a larger thing is NULL. */
#define NEVER_NULL(pointer) do { if (!(pointer)) __builtin_unreachable(); } while (0)
/* A variable of another file of ours: without this the compiler looks its address up, as if it could be another object's. */
#define OURS __attribute__((visibility("hidden")))

#endif
