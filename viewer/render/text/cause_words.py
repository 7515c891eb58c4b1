"""The words for each kind of cause, by what it is said of."""

from viewer.analysis.causes.part import Kind

WHICH = (
    *(Kind.TASK, Kind.CALLBACK, Kind.WAKER, Kind.UNENDED, Kind.VAIN, Kind.CHILD, Kind.JOB),
    *(Kind.SUBMITTER, Kind.WRITER, Kind.HOLDER),
)
# What links a cause to the one thing it did all that time.
LINKS = {
    **dict.fromkeys(WHICH, ", which was "),
    **dict.fromkeys((Kind.THREAD, Kind.OWNER), " while "),
}
ON_LOOP = {
    Kind.TASK: "the loop ran {who}",
    Kind.CALLBACK: "the loop ran the callback {who}",
    Kind.SELECT: "the loop was polling (`select`)",
    Kind.LOOP: "the loop itself was busy",
}
HELD = {
    Kind.THREAD: "{who} held it",
    Kind.OWNER: "{who} held it",
    Kind.FREE: "it was free, but the next waiter had not woken yet",
}
ENDED = {
    **HELD,
    **dict.fromkeys((Kind.WAKER, Kind.UNENDED, Kind.CHILD), "it waited for {who}"),
    Kind.TIMER: "it waited for a timer",
    Kind.IO: "it waited for something outside the program",
    Kind.CALL: "the call itself was working",
    Kind.UNSEEN: "its loop was too busy to check for events from outside",
    Kind.UNHEARD: "it had been woken, but its loop had not noticed yet",
    Kind.QUEUED: "the job was queued: no worker had begun it",
    Kind.JOB: "a worker ran the job {who}",
    Kind.RESULT: "the result of the job was on its way",
    Kind.SUBMITTER: "there was no job until {who} submitted one{at}",
    Kind.WRITER: "there was nothing to read until {who} wrote it{at}",
    Kind.MESSAGE: "what was written was on its way",
    Kind.WOKEN: "it had been woken, but did not run yet",
    Kind.TIMEOUT: "it waited in vain: nobody woke it before the timeout",
    Kind.VAIN: "it waited in vain for {who}, the only one that ever ends such waits",
    Kind.HOLDER: "{who} most likely held what it waited for",
}
ANYWHERE = {
    Kind.GC: "the garbage collector ran ({who}{inside})",
    Kind.PREEMPTED: "the kernel ran something else",
    Kind.CYCLE: "it waited for itself: the waits form a cycle",
    Kind.UNKNOWN: "the cause is unknown",
}
DID = {
    Kind.TASK: "running {who}",
    Kind.CALLBACK: "running the callback {who}",
    Kind.SELECT: "polling (`select`)",
    Kind.LOOP: "in the loop itself",
    Kind.GC: "collecting garbage ({who})",
    Kind.COMPUTING: "computing",
    Kind.NATIVE: "computing without the GIL",
    Kind.PREEMPTED: "preempted by the kernel",
    Kind.OFF_CPU: "off the CPU",
    Kind.GIL_WAIT: "waiting for the GIL",
    Kind.LOCK_WAIT: "waiting for a {who}",
    Kind.IDLE_WAIT: "waiting in {who}",
    Kind.IO: "in {who}",
    Kind.CALL: "until the call was done",
    Kind.UNSEEN: "its loop too busy to check for events from outside",
    Kind.UNHEARD: "woken, its loop had not noticed",
    Kind.SLEEP: "asleep{at}",
    Kind.READY: "ready but not running",
    Kind.AWAIT: "awaiting {who}",
    Kind.THREAD: "held by {who}",
    Kind.OWNER: "held by {who}",
    Kind.WAKER: "until {who} woke it",
    Kind.UNENDED: "for the end of {who}",
    Kind.FREE: "free, not yet acquired",
    Kind.TIMER: "until a timer was due",
    Kind.TIMEOUT: "until it timed out",
    Kind.CANCELLED: "until {who} cancelled it",
    Kind.VAIN: "in vain for {who}, the only one that ever ends such waits",
    Kind.HOLDER: "in vain, {who} most likely held one",
    Kind.WOKEN: "woken, not yet running",
    Kind.CHILD: "for {who}",
    Kind.STARTING: "starting, not recorded yet",
    Kind.EXITING: "exiting, not recorded any more",
    Kind.QUEUED: "the job queued, no worker had begun it",
    Kind.JOB: "running the job {who}",
    Kind.RESULT: "the result on its way",
    Kind.SUBMITTER: "until {who} submitted a job{at}",
    Kind.WRITER: "until {who} wrote{at}",
    Kind.MESSAGE: "what was written on its way",
    Kind.CYCLE: "waiting for itself, in a cycle",
    Kind.OTHERS: "{who} smaller parts",
    Kind.UNKNOWN: "unknown",
}
