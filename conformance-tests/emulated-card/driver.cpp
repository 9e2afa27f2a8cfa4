// The calls of the CUDA driver that a node makes, for one emulated card. Work is done at once, by the thread that asks
// for it, except while a stream is captured.
#include "card.h"

#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace {

constexpr const char* NAME = "emulated card";
// Few enough that loops with the stride of a grid really go round.
constexpr int MULTIPROCESSORS = 2, MAJOR = 9, MINOR = 0;
constexpr size_t MEMORY = (size_t)4 << 30;

enum Answer : int {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    INVALID_PTX = 218,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALIDATED = 901,
    CAPTURE_UNMATCHED = 903,
    CAPTURED_EVENT = 907,
    CAPTURE_WRONG_THREAD = 908,
};

// ---------------------------------------------------------------------------------------------------
// Memory: pages of its own for each piece, its end (rounded up) before a page that nobody may touch.

constexpr size_t ALIGNMENT = 256, PAGE = 4096;
constexpr unsigned char GARBAGE = 0xc5, GUARD = 0x9d;

struct Piece {
    size_t bytes, mapped;
    unsigned char* pages;
};

std::mutex memory_lock;
std::map<uintptr_t, Piece> memory;
size_t used;
bool initialised;

// The piece that this address is in, or at the end of.
const std::pair<const uintptr_t, Piece>* piece_of(uintptr_t at) {
    auto after = memory.upper_bound(at);
    if (after == memory.begin()) return nullptr;
    const auto& piece = *std::prev(after);
    return at - piece.first <= piece.second.bytes ? &piece : nullptr;
}

Answer allocate(uint64_t* out, size_t bytes) {
    if (!out || bytes == 0) return INVALID_VALUE;
    std::lock_guard<std::mutex> lock(memory_lock);
    if (bytes > MEMORY - used) return OUT_OF_MEMORY;
    size_t whole = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, usable = (whole + PAGE - 1) / PAGE * PAGE;
    size_t mapped = usable + PAGE;
    void* pages = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return OUT_OF_MEMORY;
    if (mprotect((char*)pages + usable, PAGE, PROT_NONE) != 0) return OUT_OF_MEMORY;
    unsigned char* start = (unsigned char*)pages + usable - whole;
    memset(pages, GUARD, usable - whole);
    memset(start, GARBAGE, bytes);
    memset(start + bytes, GUARD, whole - bytes);
    used += bytes;
    memory[(uintptr_t)start] = {bytes, mapped, (unsigned char*)pages};
    *out = (uint64_t)start;
    return SUCCESS;
}

Answer release(uint64_t at) {
    if (at == 0) return SUCCESS;
    std::lock_guard<std::mutex> lock(memory_lock);
    auto found = memory.find(at);
    if (found == memory.end()) return INVALID_VALUE;
    Piece piece = found->second;
    unsigned char *start = (unsigned char*)at, *end = piece.pages + piece.mapped - PAGE;
    for (unsigned char* byte = piece.pages; byte < end; byte++) {
        if (byte == start) byte += piece.bytes;
        if (byte < end && *byte != GUARD) {
            emulated::die("written at %td of a piece of memory of %zu bytes", byte - start, piece.bytes);
        }
    }
    munmap(piece.pages, piece.mapped);
    used -= piece.bytes;
    memory.erase(found);
    return SUCCESS;
}

// ---------------------------------------------------------------------------------------------------
// Streams, graphs, events.

typedef std::vector<std::function<void()>> Works;

struct Graph {
    std::shared_ptr<Works> works;
};

struct Stream {
    std::shared_ptr<Works> capture;
    bool invalid;
    std::thread::id thread;
};

struct Event {
    bool recorded, captured;
    std::chrono::steady_clock::time_point time;
};

thread_local void* context_of_thread;
// The stream whose capture this thread began: some calls are forbidden meanwhile.
thread_local Stream* capturing;
char context;

// ---------------------------------------------------------------------------------------------------
// What was done, for whoever wants to know that the card was used: lines of `name times`, added at the end of the process to
// the file that EMULATED_CARD_LOG names.

std::mutex log_lock;
std::map<std::string, uint64_t> done;

void write_log() {
    const char* path = getenv("EMULATED_CARD_LOG");
    FILE* file = path ? fopen(path, "a") : nullptr;
    if (!file) return;
    std::lock_guard<std::mutex> lock(log_lock);
    for (const auto& [name, times] : done) fprintf(file, "%s %llu\n", name.c_str(), (unsigned long long)times);
    fclose(file);
}

Answer forbidden() {
    capturing->invalid = true;
    return CAPTURE_UNSUPPORTED;
}

} // namespace

namespace emulated {

void die(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("emulated card: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    abort();
}

void note(const char* name) {
    std::lock_guard<std::mutex> lock(log_lock);
    done[name]++;
}

int enqueue(void* at, std::function<void()> work) {
    Stream* stream = (Stream*)at;
    if (stream && stream->capture) {
        if (stream->invalid) return CAPTURE_INVALIDATED;
        stream->capture->push_back(std::move(work));
    } else {
        work();
    }
    return SUCCESS;
}

bool owns(const void* at, size_t bytes) {
    std::lock_guard<std::mutex> lock(memory_lock);
    const auto* piece = piece_of((uintptr_t)at);
    return piece && bytes <= piece->second.bytes - ((uintptr_t)at - piece->first);
}

} // namespace emulated

using emulated::enqueue;
using emulated::owns;

// ---------------------------------------------------------------------------------------------------
// The device and its context.

EXPORT int cuInit(unsigned flags) {
    static std::once_flag once;
    std::call_once(once, [] { atexit(write_log); });
    initialised = true;
    return flags == 0 ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuGetErrorName(int error, const char** out) {
    switch (error) {
        case SUCCESS: *out = "CUDA_SUCCESS"; break;
        case INVALID_VALUE: *out = "CUDA_ERROR_INVALID_VALUE"; break;
        case OUT_OF_MEMORY: *out = "CUDA_ERROR_OUT_OF_MEMORY"; break;
        case NOT_FOUND: *out = "CUDA_ERROR_NOT_FOUND"; break;
        default: *out = "an error of the emulated card"; break;
    }
    return SUCCESS;
}
EXPORT int cuGetErrorString(int error, const char** out) { return cuGetErrorName(error, out); }

EXPORT int cuDeviceGetCount(int* count) {
    *count = 1;
    return initialised ? SUCCESS : NOT_INITIALIZED;
}
EXPORT int cuDeviceGet(int* device, int ordinal) {
    if (!initialised) return NOT_INITIALIZED;
    if (ordinal != 0) return INVALID_DEVICE;
    *device = 0;
    return SUCCESS;
}
EXPORT int cuDeviceGetName(char* name, int length, int device) {
    if (device != 0) return INVALID_DEVICE;
    snprintf(name, (size_t)length, "%s", NAME);
    return SUCCESS;
}
EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int device) {
    if (device != 0) return INVALID_DEVICE;
    *bytes = MEMORY;
    return SUCCESS;
}
EXPORT int cuDeviceGetAttribute(int* value, int attribute, int device) {
    if (device != 0) return INVALID_DEVICE;
    switch (attribute) {
        case 1: *value = 1024; return SUCCESS; // threads of a block
        case 10: *value = 32; return SUCCESS;  // threads of a warp
        case 16: *value = MULTIPROCESSORS; return SUCCESS;
        case 75: *value = MAJOR; return SUCCESS;
        case 76: *value = MINOR; return SUCCESS;
        case 115: *value = 1; return SUCCESS; // memory is given in the order of a stream
        default: return INVALID_VALUE;
    }
}

EXPORT int cuDevicePrimaryCtxRetain(void** out, int device) {
    if (device != 0) return INVALID_DEVICE;
    *out = &context;
    return SUCCESS;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int device) { return device == 0 ? SUCCESS : INVALID_DEVICE; }
EXPORT int cuCtxGetCurrent(void** out) {
    *out = context_of_thread;
    return SUCCESS;
}
EXPORT int cuCtxSetCurrent(void* which) {
    if (which && which != &context) return INVALID_CONTEXT;
    context_of_thread = which;
    return SUCCESS;
}
EXPORT int cuCtxSynchronize() {
    if (!context_of_thread) return INVALID_CONTEXT;
    return capturing ? forbidden() : SUCCESS;
}

// ---------------------------------------------------------------------------------------------------
// Modules and launches.

EXPORT int cuModuleLoadData(void** module, const void* image) {
    if (!context_of_thread) return INVALID_CONTEXT;
    if (capturing) return forbidden();
    if (strcmp((const char*)image, emulated::IMAGE) != 0) return INVALID_PTX;
    *module = (void*)emulated::kernels;
    return SUCCESS;
}
EXPORT int cuModuleUnload(void* module) { return module == emulated::kernels ? SUCCESS : INVALID_HANDLE; }
EXPORT int cuModuleGetFunction(void** function, void* module, const char* name) {
    if (module != emulated::kernels) return INVALID_HANDLE;
    for (const emulated::Kernel* kernel = emulated::kernels; kernel->name; kernel++) {
        if (strcmp(kernel->name, name) == 0) {
            *function = (void*)kernel;
            return SUCCESS;
        }
    }
    return NOT_FOUND;
}

EXPORT int cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                          unsigned block_y, unsigned block_z, unsigned shared_bytes, void* stream, void** arguments,
                          void** extra) {
    const emulated::Kernel& kernel = *(const emulated::Kernel*)function;
    bool grid_fits = grid_x >= 1 && grid_x <= 0x7fffffff && grid_y >= 1 && grid_y <= 65535 && grid_z >= 1 && grid_z <= 65535;
    bool block_fits = block_x >= 1 && block_x <= 1024 && block_y >= 1 && block_y <= 1024 && block_z >= 1 && block_z <= 64;
    if (!grid_fits || !block_fits || block_x * block_y * block_z > 1024 || shared_bytes != 0 || extra) return INVALID_VALUE;
    // Copies: arguments need not live longer than this call.
    struct Launch {
        std::vector<std::vector<uint64_t>> values;
        std::vector<void*> places;
    };
    auto launch = std::make_shared<Launch>();
    for (size_t i = 0; i < kernel.count; i++) {
        size_t size = kernel.arguments[i].size;
        auto& value = launch->values.emplace_back((size + 15) / 16 * 2);
        memcpy(value.data(), arguments[i], size);
    }
    for (auto& value : launch->values) launch->places.push_back(value.data());
    return enqueue(stream, [&kernel, launch, grid = emulated::Sides{grid_x, grid_y, grid_z},
                            block = emulated::Sides{block_x, block_y, block_z}] {
        for (size_t i = 0; i < kernel.count; i++) {
            const void* address = (const void*)launch->values[i][0];
            if (kernel.arguments[i].address && address && !owns(address, 0)) {
                emulated::die("kernel %s: argument %zu is not an address of the card (%p)", kernel.name, i, address);
            }
        }
        emulated::note(kernel.name);
        emulated::run_grid(kernel, grid, block, launch->places.data());
    });
}

// ---------------------------------------------------------------------------------------------------
// Streams, events, graphs.

EXPORT int cuStreamCreate(void** out, unsigned) {
    if (!context_of_thread) return INVALID_CONTEXT;
    *out = new Stream{};
    return SUCCESS;
}
EXPORT int cuStreamDestroy_v2(void* stream) {
    delete (Stream*)stream;
    return SUCCESS;
}
EXPORT int cuStreamSynchronize(void* at) {
    Stream* stream = (Stream*)at;
    if (!stream || !stream->capture) return SUCCESS;
    stream->invalid = true;
    return CAPTURE_UNSUPPORTED;
}
EXPORT int cuStreamWaitEvent(void*, void*, unsigned) { return SUCCESS; }
EXPORT int cuStreamIsCapturing(void* at, int* status) {
    Stream* stream = (Stream*)at;
    *status = !stream || !stream->capture ? 0 : stream->invalid ? 2 : 1;
    return SUCCESS;
}
EXPORT int cuStreamBeginCapture_v2(void* at, int) {
    Stream* stream = (Stream*)at;
    if (!stream) return CAPTURE_UNSUPPORTED;
    if (stream->capture || capturing) return INVALID_VALUE;
    *stream = {std::make_shared<Works>(), false, std::this_thread::get_id()};
    capturing = stream;
    return SUCCESS;
}
EXPORT int cuStreamEndCapture(void* at, void** out) {
    Stream* stream = (Stream*)at;
    *out = nullptr;
    if (!stream || !stream->capture) return CAPTURE_UNMATCHED;
    if (stream->thread != std::this_thread::get_id()) return CAPTURE_WRONG_THREAD;
    Stream ended = std::move(*stream);
    *stream = {};
    capturing = nullptr;
    if (ended.invalid) return CAPTURE_INVALIDATED;
    *out = new Graph{ended.capture};
    return SUCCESS;
}

EXPORT int cuGraphInstantiateWithFlags(void** out, void* graph, unsigned long long) {
    *out = new Graph(*(Graph*)graph);
    return SUCCESS;
}
EXPORT int cuGraphLaunch(void* graph, void* stream) {
    if (stream && ((Stream*)stream)->capture) return forbidden();
    emulated::note("(graph)");
    for (const auto& work : *((Graph*)graph)->works) work();
    return SUCCESS;
}
EXPORT int cuGraphUpload(void*, void*) { return SUCCESS; }
EXPORT int cuGraphDestroy(void* graph) {
    delete (Graph*)graph;
    return SUCCESS;
}
EXPORT int cuGraphExecDestroy(void* graph) {
    delete (Graph*)graph;
    return SUCCESS;
}

EXPORT int cuEventCreate(void** out, unsigned) {
    if (!context_of_thread) return INVALID_CONTEXT;
    *out = new Event{};
    return SUCCESS;
}
EXPORT int cuEventDestroy_v2(void* event) {
    delete (Event*)event;
    return SUCCESS;
}
EXPORT int cuEventRecord(void* at, void* stream) {
    bool captured = stream && ((Stream*)stream)->capture;
    *(Event*)at = {true, captured, std::chrono::steady_clock::now()};
    return SUCCESS;
}
EXPORT int cuEventSynchronize(void* event) { return ((Event*)event)->captured ? CAPTURED_EVENT : SUCCESS; }
EXPORT int cuEventQuery(void* event) { return ((Event*)event)->captured ? CAPTURED_EVENT : SUCCESS; }
EXPORT int cuEventElapsedTime_v2(float* milliseconds, void* from, void* to) {
    const Event &start = *(Event*)from, &end = *(Event*)to;
    if (!start.recorded || !end.recorded || start.captured || end.captured) return INVALID_HANDLE;
    *milliseconds = std::chrono::duration<float, std::milli>(end.time - start.time).count();
    return SUCCESS;
}
EXPORT int cuEventElapsedTime(float* milliseconds, void* from, void* to) {
    return cuEventElapsedTime_v2(milliseconds, from, to);
}

// ---------------------------------------------------------------------------------------------------
// Memory. None of it may be asked for, given back or copied to and from the host while a stream is captured: a real
// card allows some of that, but then a graph has it, which is not meant.

EXPORT int cuMemAlloc_v2(uint64_t* out, size_t bytes) {
    if (!context_of_thread) return INVALID_CONTEXT;
    return capturing ? forbidden() : allocate(out, bytes);
}
EXPORT int cuMemFree_v2(uint64_t at) { return capturing ? forbidden() : release(at); }
EXPORT int cuMemAllocAsync(uint64_t* out, size_t bytes, void*) { return capturing ? forbidden() : allocate(out, bytes); }
EXPORT int cuMemFreeAsync(uint64_t at, void*) { return capturing ? forbidden() : release(at); }
EXPORT int cuMemGetInfo_v2(size_t* free, size_t* total) {
    std::lock_guard<std::mutex> lock(memory_lock);
    *free = MEMORY - used;
    *total = MEMORY;
    return SUCCESS;
}

static int copy(void* to, const void* from, size_t bytes, const void* card) {
    if (capturing) return forbidden();
    if (!owns(card, bytes)) return INVALID_VALUE;
    memcpy(to, from, bytes);
    return SUCCESS;
}
EXPORT int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void*) {
    return copy((void*)to, from, bytes, (void*)to);
}
EXPORT int cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) { return copy((void*)to, from, bytes, (void*)to); }
EXPORT int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void*) {
    return copy(to, (void*)from, bytes, (void*)from);
}
EXPORT int cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) { return copy(to, (void*)from, bytes, (void*)from); }
EXPORT int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void* stream) {
    if (!owns((void*)to, bytes) || !owns((void*)from, bytes)) return INVALID_VALUE;
    return enqueue(stream, [=] { memmove((void*)to, (void*)from, bytes); });
}
EXPORT int cuMemsetD8Async(uint64_t at, unsigned char value, size_t bytes, void* stream) {
    if (!owns((void*)at, bytes)) return INVALID_VALUE;
    return enqueue(stream, [=] { memset((void*)at, value, bytes); });
}
EXPORT int cuMemsetD8_v2(uint64_t at, unsigned char value, size_t bytes) {
    return capturing ? forbidden() : cuMemsetD8Async(at, value, bytes, nullptr);
}
