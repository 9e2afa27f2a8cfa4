// Runs the threads of a block as fibers of one thread of the host.
//
//   fiber 0: thread 0 ... meets others: waits      | then a warp at a time goes as far as it can without the others,
//   fiber 1: thread 1, thread 2, ... end, no wait  | its threads in turns from meeting to meeting, until all have ended
//
// A fiber takes the next thread when its own has ended, so kernels without meetings need one. Every other launch
// goes through threads, warps and blocks backwards. So what depends on their order, or lacks a meeting, tends to give
// other bits; a real card may still do worse.
#include "card.h"
#include "device.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

Three threadIdx, blockIdx, blockDim, gridDim;

namespace emulated {
namespace {

constexpr size_t STACK = 128 << 10, PAGE = 4096;

// ---------------------------------------------------------------------------------------------------
// Switching.

#if defined(__x86_64__) && !defined(PORTABLE_FIBERS)

typedef void* Context;
extern "C" void emulated_switch(void** save, void* load) __attribute__((visibility("hidden")));
// The registers that a called function keeps.
asm(R"(
    .text
    .globl emulated_switch
    .hidden emulated_switch
    .type emulated_switch, @function
emulated_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size emulated_switch, .-emulated_switch
)");

void switch_to(Context& from, Context& to) { emulated_switch(&from, to); }

void prepare(Context& context, char* stack, size_t size, void (*start)()) {
    void** top = (void**)(stack + size);
    // As after a call: the address above is not aligned to 16. It is never returned to.
    *--top = nullptr;
    *--top = (void*)start;
    for (int i = 0; i < 6; i++) *--top = nullptr;
    context = top;
}

#else

typedef ucontext_t Context;
void switch_to(Context& from, Context& to) { swapcontext(&from, &to); }

void prepare(Context& context, char* stack, size_t size, void (*start)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = size;
    context.uc_link = nullptr;
    makecontext(&context, start, 0);
}

#endif

struct Fiber {
    Context context;
};

// ---------------------------------------------------------------------------------------------------
// The block that runs.

// Where threads meet: complete when all that have not ended are there.
struct Meeting {
    unsigned generation, arrived, live, site;
};

struct Warp {
    Meeting meeting;
    // For this meeting and the one before, which some have still to read.
    unsigned present[2];
    unsigned char slots[2][32][16];
};

struct Thread {
    // What it waits for; nothing where it has not begun, or has ended.
    Meeting* waits;
    unsigned generation;
    Fiber* fiber;
};

const Kernel* kernel;
void* const* arguments;
unsigned count, begun, current;
bool backwards;
Meeting everyone;
Warp warps[32];
Thread threads[1024];
Fiber* running;
Context scheduler;
std::vector<Fiber*> idle;
// Shared memory and the indices are there once.
std::mutex launch;

void stand_at(unsigned thread) {
    current = thread;
    unsigned x = thread % blockDim.x, rest = thread / blockDim.x;
    threadIdx = {x, rest % blockDim.y, rest / blockDim.y};
}

void complete(Meeting& meeting) {
    if (meeting.arrived > 0 && meeting.arrived == meeting.live) {
        meeting.generation++;
        meeting.arrived = 0;
    }
}

void leave(Meeting& meeting) {
    meeting.live--;
    complete(meeting);
}

void meet(Meeting& meeting, unsigned site) {
    if (meeting.arrived++ == 0) meeting.site = site;
    if (meeting.site != site) die("kernel %s: threads of a block or warp meet at different places", kernel->name);
    unsigned generation = meeting.generation;
    complete(meeting);
    if (meeting.generation != generation) return;
    Thread& thread = threads[current];
    thread.waits = &meeting;
    thread.generation = generation;
    thread.fiber = running;
    switch_to(running->context, scheduler);
}

// What every fiber does: threads that have not begun, one after the other.
void fiber_loop() {
    for (;;) {
        while (begun < count) {
            unsigned next = begun++;
            stand_at(backwards ? count - 1 - next : next);
            kernel->thread(arguments);
            leave(everyone);
            leave(warps[current / 32].meeting);
        }
        idle.push_back(running);
        switch_to(running->context, scheduler);
    }
}

Fiber* take_fiber() {
    if (idle.empty()) {
        Fiber* fiber = new Fiber;
        void* stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack == MAP_FAILED || mprotect(stack, PAGE, PROT_NONE) != 0) die("no memory for the stack of a thread");
        prepare(fiber->context, (char*)stack, STACK, fiber_loop);
        return fiber;
    }
    Fiber* fiber = idle.back();
    idle.pop_back();
    return fiber;
}

void resume(Fiber* fiber) {
    running = fiber;
    switch_to(scheduler, fiber->context);
}

// Once round the threads of a warp; whether any could go on.
bool run_warp(unsigned w) {
    bool progress = false;
    for (unsigned place = 0; place < 32; place++) {
        unsigned i = w * 32 + (backwards ? 31 - place : place);
        if (i >= count) continue;
        Thread& thread = threads[i];
        if (!thread.waits || thread.waits->generation == thread.generation) continue;
        thread.waits = nullptr;
        stand_at(i);
        resume(thread.fiber);
        progress = true;
    }
    return progress;
}

void run_block() {
    begun = 0;
    everyone = {0, 0, count, 0};
    for (unsigned w = 0; w * 32 < count; w++) {
        unsigned lanes = count - w * 32 < 32 ? count - w * 32 : 32;
        warps[w].meeting = {0, 0, lanes, 0};
        warps[w].present[0] = warps[w].present[1] = 0;
    }
    for (unsigned i = 0; i < count; i++) threads[i].waits = nullptr;
    while (begun < count) resume(take_fiber());
    unsigned all = (count + 31) / 32;
    while (everyone.live > 0) {
        bool progress = false;
        for (unsigned place = 0; place < all; place++) {
            unsigned w = backwards ? all - 1 - place : place;
            while (run_warp(w)) progress = true;
        }
        if (!progress) die("kernel %s: threads wait for each other at different places", kernel->name);
    }
}

// ---------------------------------------------------------------------------------------------------
// Accesses that a card would refuse, and what is undefined in C++, which the kernels are compiled to stop at.

struct sigaction before[32];

void stopped(int signal, siginfo_t* info, void*) {
    if (kernel) {
        char text[400];
        int length = snprintf(text, sizeof(text),
                              "emulated card: kernel %s, block (%u, %u, %u), thread (%u, %u, %u): %s (%p)\n", kernel->name,
                              blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z,
                              signal == SIGILL || signal == SIGTRAP
                                  ? "undefined: overflow, shift, index, division by zero or alignment"
                                  : "access outside of the memory of the card",
                              info->si_addr);
        if (length > 0 && write(2, text, (size_t)length) < 0) abort();
    }
    // What was there before is in charge when the instruction is tried again.
    sigaction(signal, kernel ? nullptr : &before[signal], nullptr);
    if (kernel) {
        struct sigaction usual = {};
        usual.sa_handler = SIG_DFL;
        sigaction(signal, &usual, nullptr);
    }
}

void watch() {
    static std::once_flag once;
    std::call_once(once, [] {
        for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE}) {
            struct sigaction action = {};
            action.sa_sigaction = stopped;
            action.sa_flags = SA_SIGINFO | SA_ONSTACK;
            sigaction(signal, &action, &before[signal]);
        }
    });
}

} // namespace

void run_grid(const Kernel& which, Sides grid, Sides block, void* const* with) {
    std::lock_guard<std::mutex> lock(launch);
    watch();
    kernel = &which;
    arguments = with;
    backwards = !backwards;
    count = block.x * block.y * block.z;
    gridDim = {grid.x, grid.y, grid.z};
    blockDim = {block.x, block.y, block.z};
    uint64_t blocks = (uint64_t)grid.x * grid.y * grid.z;
    for (uint64_t place = 0; place < blocks; place++) {
        uint64_t b = backwards ? blocks - 1 - place : place;
        blockIdx = {(unsigned)(b % grid.x), (unsigned)(b / grid.x % grid.y), (unsigned)(b / grid.x / grid.y)};
        run_block();
    }
    kernel = nullptr;
}

void meet_block(unsigned site) { meet(everyone, site); }

Lanes meet_warp(unsigned site, unsigned mask, const void* value, size_t size) {
    Warp& warp = warps[current / 32];
    unsigned lane = current % 32, turn = warp.meeting.generation & 1;
    unsigned first = current - lane, lanes = count - first < 32 ? count - first : 32;
    if (warp.meeting.arrived == 0) warp.present[turn] = 0;
    warp.present[turn] |= 1u << lane;
    memcpy(warp.slots[turn][lane], value, size);
    if ((mask & (~0u >> (32 - lanes))) != ~0u >> (32 - lanes)) die("kernel %s: part of a warp is not emulated", kernel->name);
    meet(warp.meeting, site);
    return {warp.slots[turn], warp.present[turn], lane};
}

} // namespace emulated
