// The kernels themselves, and a table of them. The build says where they are (KERNELS) and writes `entries.inc`.
#include "device.h"

#include KERNELS

#include "card.h"

#include <utility>

namespace emulated {

template <auto F> struct Entry;

template <typename... A, void (*F)(A...)> struct Entry<F> {
    static constexpr size_t count = sizeof...(A);
    static constexpr Argument arguments[] = {{sizeof(A), std::is_pointer_v<A>}..., {0, false}};

    template <size_t... I> static void call(void* const* from, std::index_sequence<I...>) { F(*(A*)from[I]...); }
    static void thread(void* const* from) { call(from, std::make_index_sequence<count>()); }
};

#define ENTRY(NAME) {#NAME, Entry<&NAME>::count, Entry<&NAME>::arguments, Entry<&NAME>::thread},

const Kernel kernels[] = {
#include "entries.inc"
    {nullptr, 0, nullptr, nullptr},
};

} // namespace emulated
