// What CUDA C++ has beyond C++, as far as the kernels may use it: threads of a block are fibers (threads.cpp), which run
// from one meeting point to the next.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline
#define __launch_bounds__(...)
// Blocks run one after the other, so there is one of it at a time.
#define __shared__ static

struct Three {
    unsigned x, y, z;
};
extern Three threadIdx, blockIdx, blockDim, gridDim;

namespace emulated {

// What the lanes of a warp handed in, and which of them were there.
struct Lanes {
    const unsigned char (*slots)[16];
    unsigned present, own;
};

// All threads of the block that have not ended meet here. A site is a place in the source.
void meet_block(unsigned site);
// All threads of the warp that have not ended meet here; what is answered stays until they meet again.
Lanes meet_warp(unsigned site, unsigned mask, const void* value, size_t size);

template <typename T> T from_lane(const Lanes& lanes, unsigned lane) {
    static_assert(sizeof(T) <= 16 && std::is_trivially_copyable_v<T>);
    T value;
    // What a lane that is not there hands out is undefined: garbage.
    if (lanes.present >> lane & 1) memcpy(&value, lanes.slots[lane], sizeof(T));
    else memset(&value, 0xa5, sizeof(T));
    return value;
}
template <typename T> T shuffle_down(unsigned site, unsigned mask, T value, unsigned delta, unsigned width = 32) {
    Lanes lanes = meet_warp(site, mask, &value, sizeof(T));
    unsigned place = lanes.own % width;
    return from_lane<T>(lanes, place + delta < width ? lanes.own + delta : lanes.own);
}
template <typename T> T shuffle_up(unsigned site, unsigned mask, T value, unsigned delta, unsigned width = 32) {
    Lanes lanes = meet_warp(site, mask, &value, sizeof(T));
    unsigned place = lanes.own % width;
    return from_lane<T>(lanes, place >= delta ? lanes.own - delta : lanes.own);
}
template <typename T> T shuffle_xor(unsigned site, unsigned mask, T value, unsigned bits, unsigned width = 32) {
    Lanes lanes = meet_warp(site, mask, &value, sizeof(T));
    unsigned lane = lanes.own ^ bits, first = lanes.own - lanes.own % width;
    return from_lane<T>(lanes, lane < first + width ? lane : lanes.own);
}
template <typename T> T shuffle(unsigned site, unsigned mask, T value, unsigned from, unsigned width = 32) {
    Lanes lanes = meet_warp(site, mask, &value, sizeof(T));
    return from_lane<T>(lanes, lanes.own - lanes.own % width + from % width);
}
inline unsigned ballot(unsigned site, unsigned mask, int vote) {
    unsigned char value = vote != 0;
    Lanes lanes = meet_warp(site, mask, &value, 1);
    unsigned votes = 0;
    for (unsigned lane = 0; lane < 32; lane++) {
        if (lanes.present >> lane & 1) votes |= (unsigned)lanes.slots[lane][0] << lane;
    }
    return votes;
}
inline void meet_warp_only(unsigned site, unsigned mask = ~0u) { meet_warp(site, mask, "", 1); }

template <typename T, typename F> T update(T* at, F become) {
    T before = *at;
    *at = become(before);
    return before;
}

} // namespace emulated

#define __syncthreads() emulated::meet_block(__COUNTER__)
#define __syncwarp(...) emulated::meet_warp_only(__COUNTER__, ##__VA_ARGS__)
#define __shfl_sync(...) emulated::shuffle(__COUNTER__, __VA_ARGS__)
#define __shfl_down_sync(...) emulated::shuffle_down(__COUNTER__, __VA_ARGS__)
#define __shfl_up_sync(...) emulated::shuffle_up(__COUNTER__, __VA_ARGS__)
#define __shfl_xor_sync(...) emulated::shuffle_xor(__COUNTER__, __VA_ARGS__)
#define __ballot_sync(...) emulated::ballot(__COUNTER__, __VA_ARGS__)
#define __any_sync(...) (emulated::ballot(__COUNTER__, __VA_ARGS__) != 0)

template <typename A, typename B> std::common_type_t<A, B> min(A a, B b) {
    std::common_type_t<A, B> left = a, right = b;
    return left < right ? left : right;
}
template <typename A, typename B> std::common_type_t<A, B> max(A a, B b) {
    std::common_type_t<A, B> left = a, right = b;
    return left > right ? left : right;
}

inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline long long __mul64hi(long long a, long long b) { return (long long)((__int128)a * b >> 64); }
template <typename To, typename From> To bits_of(From value) {
    To bits;
    static_assert(sizeof(To) == sizeof(From));
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}
inline unsigned __float_as_uint(float x) { return bits_of<unsigned>(x); }
inline int __float_as_int(float x) { return bits_of<int>(x); }
inline float __uint_as_float(unsigned x) { return bits_of<float>(x); }
inline float __int_as_float(int x) { return bits_of<float>(x); }
inline long long __double_as_longlong(double x) { return bits_of<long long>(x); }
inline double __longlong_as_double(long long x) { return bits_of<double>(x); }
template <typename T> T __ldg(const T* at) { return *at; }
inline void __threadfence() {}

template <typename T> T atomicAdd(T* at, T by) { return emulated::update(at, [=](T x) { return (T)(x + by); }); }
template <typename T> T atomicOr(T* at, T by) { return emulated::update(at, [=](T x) { return (T)(x | by); }); }
template <typename T> T atomicAnd(T* at, T by) { return emulated::update(at, [=](T x) { return (T)(x & by); }); }
template <typename T> T atomicXor(T* at, T by) { return emulated::update(at, [=](T x) { return (T)(x ^ by); }); }
template <typename T> T atomicMax(T* at, T by) { return emulated::update(at, [=](T x) { return x > by ? x : by; }); }
template <typename T> T atomicMin(T* at, T by) { return emulated::update(at, [=](T x) { return x < by ? x : by; }); }
template <typename T> T atomicExch(T* at, T to) { return emulated::update(at, [=](T) { return to; }); }
template <typename T> T atomicCAS(T* at, T old, T to) { return emulated::update(at, [=](T x) { return x == old ? to : x; }); }
