// What the parts of the emulated card share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace emulated {

struct Argument {
    size_t size;
    bool address;
};

// A kernel by its name; `thread` calls it once, for the thread that `threadIdx` says.
struct Kernel {
    const char* name;
    size_t count;
    const Argument* arguments;
    void (*thread)(void* const* arguments);
};

// kernels.cpp: ends with an entry without a name.
extern const Kernel kernels[];

struct Sides {
    unsigned x, y, z;
};

// threads.cpp: all blocks, one after the other.
void run_grid(const Kernel& kernel, Sides grid, Sides block, void* const* arguments);

// The text that stands for compiled kernels.
constexpr const char* IMAGE = "// kernels of the emulated card\n";

// driver.cpp, also for blas.cpp in the other library.

// Says what is wrong and ends the process.
[[noreturn]] __attribute__((visibility("default"), format(printf, 1, 2))) void die(const char* format, ...);
// Does work at once, or keeps it for the graph where the stream is being captured. An answer of the driver.
__attribute__((visibility("default"))) int enqueue(void* stream, std::function<void()> work);
// Counts that this was done.
__attribute__((visibility("default"))) void note(const char* name);
// Whether these bytes are inside one piece of memory of the card.
__attribute__((visibility("default"))) bool owns(const void* at, size_t bytes);

} // namespace emulated
