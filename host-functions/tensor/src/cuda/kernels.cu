// The formulas of the opcodes, bit for bit, for devices of compute capability 8.0 and above.
//
// Compiled at run time for the very device (NVRTC). Only integers are computed with, except where a
// product unit wants its integers as floats (`widen_*`, `narrow_*`), which is exact there. Every kernel
// walks its index space with a stride of the grid, so any launch shape is right; `n` counts elements.
// Results never depend on the launch shape: nothing is accumulated in an order that matters.

typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef int i32;
typedef long long i64;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef __int128 i128;
typedef unsigned __int128 u128;

#define KERNEL extern "C" __global__ void
#define FOR_EACH(i, n) \
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (u64)gridDim.x * blockDim.x)

// Two axes: columns along x, rows along y of the grid and of its blocks. What belongs to a column stays
// in registers while its rows pass, and nothing is divided.
#define FOR_COLUMNS(j, n) for (u32 j = blockIdx.x * blockDim.x + threadIdx.x; j < (n); j += gridDim.x * blockDim.x)
#define FOR_ROWS(r, rows) \
    for (u64 r = (u64)blockIdx.y * blockDim.y + threadIdx.y; r < (rows); r += (u64)gridDim.y * blockDim.y)

// The element types with their lowest and highest values.
#define FOR_ALL_TYPES(M) M(i8) M(u8) M(i16) M(i32) M(i64)

template <typename T> struct Range;
template <> struct Range<i8> { static constexpr i64 lo = -128, hi = 127; };
template <> struct Range<u8> { static constexpr i64 lo = 0, hi = 255; };
template <> struct Range<i16> { static constexpr i64 lo = -32768, hi = 32767; };
template <> struct Range<i32> { static constexpr i64 lo = -2147483648LL, hi = 2147483647LL; };
template <> struct Range<i64> { static constexpr i64 lo = (i64)(1ULL << 63), hi = (i64)~(1ULL << 63); };

template <typename T> __device__ T saturate(i64 value) {
    return (T)(value < Range<T>::lo ? Range<T>::lo : value > Range<T>::hi ? Range<T>::hi : value);
}
template <typename T> __device__ T saturate_wide(i128 value) {
    return (T)(value < (i128)Range<T>::lo ? Range<T>::lo : value > (i128)Range<T>::hi ? Range<T>::hi : (i64)value);
}

// ---------------------------------------------------------------------------------------------------
// Rounding: to nearest, ties to even, of the exact value.

template <typename W> __device__ W rne_shift(W value, u32 shift) {
    if (shift == 0) return value;
    W odd = (value >> shift) & 1;
    return (value + (((W)1 << (shift - 1)) - 1) + odd) >> shift;
}

// Not negative over above zero.
template <typename W> __device__ W rne_div(W numerator, W denominator) {
    W quotient = numerator / denominator;
    W remainder = numerator - quotient * denominator;
    W missing = denominator - remainder;
    return quotient + (remainder > missing || (remainder == missing && (quotient & 1)));
}

// A value of 32 bits stays inside 64 bits, see `round_shift_i32`; a wider one needs 128.
template <typename T> __device__ T requantise_one(i64 x, i32 multiplier, u32 shift, i32 zero_point) {
    if (x >= Range<i32>::lo && x <= Range<i32>::hi) {
        i64 rounded = rne_shift<i64>(x * multiplier, shift);
        // At most 2^62 in magnitude with shift 0, so the zero point cannot overflow it.
        return saturate<T>(rounded + zero_point);
    }
    return saturate_wide<T>(rne_shift<i128>((i128)x * multiplier, shift) + zero_point);
}

// ---------------------------------------------------------------------------------------------------
// Reductions of a block. `scratch` has 32 elements.

template <typename T, typename F> __device__ T block_reduce(T value, F join, T* scratch) {
    for (int offset = 16; offset > 0; offset >>= 1) value = join(value, __shfl_down_sync(~0u, value, offset));
    u32 lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = (blockDim.x + 31) >> 5;
    __syncthreads();
    if (lane == 0) scratch[warp] = value;
    __syncthreads();
    value = scratch[0];
    for (u32 i = 1; i < warps; i++) value = join(value, scratch[i]);
    return value;
}

// ---------------------------------------------------------------------------------------------------
// Products: operands become planes of 8 bits, `x = sum over p of factor_p * plane_p + offset`.

// One plane of signed bytes, rows of `k` filled up with zeros to `k_pad`.
template <typename T> struct Planes;
template <> struct Planes<i8> {
    static __device__ void split(i8 x, i8* out, u64 at, u64) { out[at] = x; }
};
template <> struct Planes<u8> {
    static __device__ void split(u8 x, i8* out, u64 at, u64) { out[at] = (i8)(x ^ 0x80); }
};
template <> struct Planes<i16> {
    static __device__ void split(i16 x, i8* out, u64 at, u64 plane) {
        out[at] = (i8)(x >> 8);
        out[at + plane] = (i8)((x & 255) ^ 0x80);
    }
};

#define TO_PLANES(T) \
    KERNEL to_planes_##T(const T* x, i8* out, u64 rows, u32 k, u32 k_pad, u64 plane) { \
        FOR_ROWS(row, rows) FOR_COLUMNS(column, k_pad) { \
            u64 i = row * k_pad + column; \
            if (column < k) Planes<T>::split(x[row * k + column], out, i, plane); \
            else { out[i] = 0; if (plane) out[i + plane] = 0; } \
        } \
    }
TO_PLANES(i8) TO_PLANES(u8) TO_PLANES(i16)

// `[batch][n][k]` to `[batch][n_pad][k_pad]`, filled up with zeros.
KERNEL pad_rows(const i8* w, i8* out, u64 rows, u32 n, u32 k, u32 n_pad, u32 k_pad) {
    FOR_ROWS(r, rows) {
        u64 batch = r / n_pad;
        u32 row = (u32)(r - batch * n_pad);
        FOR_COLUMNS(i, k_pad) out[r * k_pad + i] = row < n && i < k ? w[(batch * n + row) * k + i] : 0;
    }
}

// `[batch][k][n]` to `[batch][n_pad][k_pad]`: blocks of 32 x 32 through shared memory, 32 x 8 threads.
// Missing rows and columns are zeros. The grid is (n_pad / 32, k_pad / 32, batch), rounded up.
#define TRANSPOSE_PLANES(T) \
    KERNEL transpose_planes_##T(const T* w, i8* out, u32 k, u32 n, u32 k_pad, u32 n_pad, u64 plane) { \
        __shared__ T tile[32][33]; \
        const T* from = w + (u64)blockIdx.z * k * n; \
        u64 to = (u64)blockIdx.z * n_pad * k_pad; \
        for (u32 r = threadIdx.y; r < 32; r += 8) { \
            u32 row = blockIdx.y * 32 + r, column = blockIdx.x * 32 + threadIdx.x; \
            if (row < k && column < n) tile[r][threadIdx.x] = from[(u64)row * n + column]; \
        } \
        __syncthreads(); \
        for (u32 r = threadIdx.y; r < 32; r += 8) { \
            u32 column = blockIdx.x * 32 + r, row = blockIdx.y * 32 + threadIdx.x; \
            if (column >= n_pad || row >= k_pad) continue; \
            u64 at = to + (u64)column * k_pad + row; \
            if (row < k && column < n) Planes<T>::split(tile[threadIdx.x][r], out, at, plane); \
            else { out[at] = 0; if (plane) out[at + plane] = 0; } \
        } \
    }
TRANSPOSE_PLANES(i8) TRANSPOSE_PLANES(i16)

// sums[row] += factor * sum of a row of a plane; one warp for a row.
KERNEL add_row_sums(const i8* plane, i64* sums, u64 rows, u32 k_pad, i64 factor) {
    u64 warp = ((u64)blockIdx.x * blockDim.x + threadIdx.x) >> 5, warps = ((u64)gridDim.x * blockDim.x) >> 5;
    for (u64 row = warp; row < rows; row += warps) {
        i64 sum = 0;
        for (u32 i = threadIdx.x & 31; i < k_pad; i += 32) sum += plane[row * k_pad + i];
        for (int offset = 16; offset > 0; offset >>= 1) sum += __shfl_down_sync(~0u, sum, offset);
        if ((threadIdx.x & 31) == 0) sums[row] += factor * sum;
    }
}

// constants[i] = factor * constants[i] + addend + (bias ? bias[i] : 0)
KERNEL constants_i64(i64* constants, const i32* bias, u64 n, i64 factor, i64 addend) {
    FOR_EACH(i, n) constants[i] = factor * constants[i] + addend + (bias ? bias[i] : 0);
}

// y = (first ? column[j] + row[i] : y) + factor * acc, modulo the size of the type: the whole sum,
// whose bound is proven, fits it. `acc` has rows of `n_pad`; `column` and `row` may be absent.
// `per` is how many rows of the result one matrix of constants serves (a batch entry).
#define COMBINE(T, U) \
    KERNEL combine_##T(const i32* acc, T* y, const i64* column, const i64* row, u64 rows, u32 n, u32 n_pad, \
                       u64 per, i64 factor, u32 first) { \
        FOR_COLUMNS(j, n) FOR_ROWS(r, rows) { \
            u64 i = r * n + j; \
            U value = first ? (U)((column ? column[r / per * n_pad + j] : 0) + (row ? row[r] : 0)) : (U)y[i]; \
            y[i] = (T)(value + (U)factor * (U)(i64)acc[r * n_pad + j]); \
        } \
    }
COMBINE(i32, u32) COMBINE(i64, u64)

// y = requantise(acc + column[j]) without writing the sums: `linear` and the `requantise` that alone
// reads it, in one pass; with `table`, which has an entry for every value of T (`i8` or `u8`), also the
// `lookup` behind it. Scales are one for all or one a column. A thread takes four columns, whose sums it
// loads at once: `n_pad` is a multiple of 16.
template <typename T> struct alignas(4 * sizeof(T)) Four { T at[4]; };

#define COMBINE_REQUANTISE(T) \
    KERNEL combine_requantise_##T(const i32* acc, T* y, const i64* column, u64 rows, u32 n, u32 n_pad, \
                                  const i32* multipliers, const u8* shifts, u32 per_column, i32 zero_point, \
                                  const T* table) { \
        FOR_COLUMNS(quad, (n + 3) / 4) { \
            u32 constants[4], scales[4], bits[4]; \
            for (u32 t = 0; t < 4; t++) { \
                u32 j = quad * 4 + t, s = per_column ? min(j, n - 1) : 0; \
                constants[t] = column ? (u32)column[j] : 0; \
                scales[t] = (u32)multipliers[s]; \
                bits[t] = shifts[s]; \
            } \
            FOR_ROWS(r, rows) { \
                Four<i32> sums = *(const Four<i32>*)(acc + r * n_pad + quad * 4); \
                Four<T> out; \
                for (u32 t = 0; t < 4; t++) { \
                    i64 sum = (i32)((u32)sums.at[t] + constants[t]); \
                    i64 rounded = rne_shift<i64>(sum * (i64)(i32)scales[t], bits[t]) + zero_point; \
                    out.at[t] = saturate<T>(rounded); \
                    if (table) out.at[t] = table[(i32)out.at[t] - (i32)Range<T>::lo]; \
                } \
                u64 i = r * n + quad * 4; \
                if (n % 4 == 0) *(Four<T>*)(y + i) = out; \
                else for (u32 t = 0; t < 4 && quad * 4 + t < n; t++) y[i + t] = out.at[t]; \
            } \
        } \
    }
COMBINE_REQUANTISE(i8) COMBINE_REQUANTISE(u8) COMBINE_REQUANTISE(i16) COMBINE_REQUANTISE(i32)

// For product units that compute with floats: 8-bit integers in, sums inside the significand out.
KERNEL widen_bf16(const i8* x, unsigned short* out, u64 n) {
    // The upper half of a binary32; 8 bits of significand hold every 8-bit integer.
    FOR_EACH(i, n) out[i] = (unsigned short)(__float_as_uint((float)x[i]) >> 16);
}
KERNEL widen_f64(const i8* x, double* out, u64 n) { FOR_EACH(i, n) out[i] = (double)x[i]; }
KERNEL narrow_f32(const float* x, i32* out, u64 n) { FOR_EACH(i, n) out[i] = (i32)x[i]; }
KERNEL narrow_f64(const double* x, i32* out, u64 n) { FOR_EACH(i, n) out[i] = (i32)x[i]; }

// ---------------------------------------------------------------------------------------------------
// Requantise, elementwise, movement.

#define REQUANTISE(X, T) \
    KERNEL requantise_##X##_##T(const X* x, T* y, u64 rows, u32 row, const i32* multipliers, const u8* shifts, \
                                u32 per_column, i32 zero_point) { \
        FOR_COLUMNS(j, row) { \
            i32 multiplier = multipliers[per_column ? j : 0]; \
            u32 shift = shifts[per_column ? j : 0]; \
            FOR_ROWS(r, rows) y[r * row + j] = requantise_one<T>(x[r * row + j], multiplier, shift, zero_point); \
        } \
    }
#define REQUANTISE_TO(T) REQUANTISE(i32, T) REQUANTISE(i64, T)
FOR_ALL_TYPES(REQUANTISE_TO)

// Where an element of a result comes from: `dims` is the shape of the result, the innermost axis last.
struct Strides {
    u32 rank;
    u32 dims[8];
    u64 a[8];
    u64 b[8];
    u64 c[8];
};

struct Places { u64 a, b, c; };

__device__ Places locate(const Strides& s, u64 i) {
    Places p = {0, 0, 0};
    for (int axis = (int)s.rank - 1; axis >= 0; axis--) {
        u64 rest = i / s.dims[axis], at = i - rest * s.dims[axis];
        p.a += at * s.a[axis];
        p.b += at * s.b[axis];
        p.c += at * s.c[axis];
        i = rest;
    }
    return p;
}

// `Binary` of `kernel/binary.rs`, in its order; exact in twice the width, then saturated.
template <typename T, typename W> __device__ T binary_one(u32 op, W a, W b) {
    W value;
    switch (op) {
        case 0: value = a + b; break;
        case 1: value = a - b; break;
        case 2: value = a * b; break;
        case 3: value = a < b ? a : b; break;
        case 4: value = a > b ? a : b; break;
        case 5: value = a & b; break;
        case 6: value = a | b; break;
        default: value = a ^ b; break;
    }
    W lo = Range<T>::lo, hi = Range<T>::hi;
    return (T)(value < lo ? lo : value > hi ? hi : value);
}
template <typename T> struct Wide { typedef i64 type; };
template <> struct Wide<i64> { typedef i128 type; };

// `Unary` of `kernel/binary.rs`, in its order. A shift to the left of 64-bit values needs 127 bits.
template <typename T> __device__ T unary_one(u32 op, i64 x, i64 p, i64 q) {
    switch (op) {
        case 0: return saturate_wide<T>(-(i128)x);
        case 1: return saturate_wide<T>(x < 0 ? -(i128)x : (i128)x);
        case 2: return (T)(Range<T>::lo == 0 ? Range<T>::hi - x : -1 - x);
        case 3: return saturate<T>(x < p ? p : x > q ? q : x);
        default: return saturate_wide<T>(p < 0 ? rne_shift<i128>(x, (u32)-p) : (i128)x << p);
    }
}

#define ELEMENTWISE(T) \
    KERNEL binary_##T(const T* a, const T* b, T* y, u64 n, u32 op) { \
        FOR_EACH(i, n) y[i] = binary_one<T, Wide<T>::type>(op, a[i], b[i]); \
    } \
    KERNEL binary_strided_##T(const T* a, const T* b, T* y, u64 n, u32 op, Strides s) { \
        FOR_EACH(i, n) { Places p = locate(s, i); y[i] = binary_one<T, Wide<T>::type>(op, a[p.a], b[p.b]); } \
    } \
    KERNEL compare_##T(const T* a, const T* b, u8* y, u64 n, u32 relation, Strides s) { \
        FOR_EACH(i, n) { \
            Places p = locate(s, i); \
            T left = a[p.a], right = b[p.b]; \
            y[i] = relation == 0 ? left == right : relation == 1 ? left < right : left <= right; \
        } \
    } \
    KERNEL unary_##T(const T* x, T* y, u64 n, u32 op, i64 p, i64 q) { \
        FOR_EACH(i, n) y[i] = unary_one<T>(op, x[i], p, q); \
    } \
    KERNEL relu_##T(const T* x, T* y, u64 n) { FOR_EACH(i, n) y[i] = x[i] > 0 ? x[i] : (T)0; }
FOR_ALL_TYPES(ELEMENTWISE)

// Elements whose type is known at run time, by its code in the table.
__device__ i64 load_any(const void* x, u32 type, u64 i) {
    switch (type) {
        case 0: return ((const i8*)x)[i];
        case 1: return ((const u8*)x)[i];
        case 2: return ((const i16*)x)[i];
        case 3: return ((const i32*)x)[i];
        default: return ((const i64*)x)[i];
    }
}
__device__ void store_any(void* y, u32 type, u64 i, i128 value) {
    switch (type) {
        case 0: ((i8*)y)[i] = saturate_wide<i8>(value); break;
        case 1: ((u8*)y)[i] = saturate_wide<u8>(value); break;
        case 2: ((i16*)y)[i] = saturate_wide<i16>(value); break;
        case 3: ((i32*)y)[i] = saturate_wide<i32>(value); break;
        default: ((i64*)y)[i] = saturate_wide<i64>(value); break;
    }
}

KERNEL mul_requantise(const void* a, const void* b, void* y, u32 a_type, u32 b_type, u32 y_type, u64 n, i32 multiplier,
                      u32 shift, i32 zero_point, Strides s) {
    FOR_EACH(i, n) {
        Places p = locate(s, i);
        i128 product = (i128)load_any(a, a_type, p.a) * load_any(b, b_type, p.b) * multiplier;
        store_any(y, y_type, i, rne_shift<i128>(product, shift) + zero_point);
    }
}

#define SELECT(NAME, T) \
    KERNEL select_##NAME(const u8* condition, const T* a, const T* b, T* y, u64 n, Strides s) { \
        FOR_EACH(i, n) { Places p = locate(s, i); y[i] = condition[p.a] ? a[p.b] : b[p.c]; } \
    }
SELECT(1, u8) SELECT(2, i16) SELECT(4, i32) SELECT(8, i64)

#define LOOKUP(X, NAME, T) \
    KERNEL lookup_##X##_##NAME(const X* x, const T* table, T* y, u64 n) { \
        FOR_EACH(i, n) y[i] = table[(i32)x[i] - (i32)Range<X>::lo]; \
    }
#define LOOKUPS(X) LOOKUP(X, 1, u8) LOOKUP(X, 2, i16) LOOKUP(X, 4, i32) LOOKUP(X, 8, i64)
LOOKUPS(i8) LOOKUPS(u8) LOOKUPS(i16)

#define COPY(NAME, T) \
    KERNEL copy_strided_##NAME(const T* x, T* y, u64 n, Strides s) { \
        FOR_EACH(i, n) y[i] = x[locate(s, i).a]; \
    }
COPY(1, u8) COPY(2, i16) COPY(4, i32) COPY(8, i64)

// Index of the largest element of a row, the lowest among equals; one block for a row.
#define ARGMAX(T) \
    KERNEL argmax_##T(const T* x, i32* y, u64 rows, u32 row) { \
        __shared__ i64 values[32]; \
        __shared__ i32 places[32]; \
        for (u64 r = blockIdx.x; r < rows; r += gridDim.x) { \
            i64 best = Range<i64>::lo; \
            i32 at = 0x7fffffff; \
            for (u32 i = threadIdx.x; i < row; i += blockDim.x) { \
                i64 value = x[r * row + i]; \
                if (at == 0x7fffffff || value > best) { best = value; at = (i32)i; } \
            } \
            i64 most = block_reduce<i64>(best, [](i64 p, i64 q) { return p > q ? p : q; }, values); \
            i32 lowest = block_reduce<i32>(at != 0x7fffffff && best == most ? at : 0x7fffffff, \
                                           [](i32 p, i32 q) { return p < q ? p : q; }, places); \
            if (threadIdx.x == 0) y[r] = lowest; \
        } \
    }
FOR_ALL_TYPES(ARGMAX)

// ---------------------------------------------------------------------------------------------------
// Softmax: `exp.rs` explains the method and why its rounding is right; this is the same arithmetic.

// `exp(-i / 2^bits)` in units of 2^-128, as in `exp.rs`: 176 for eighths, then 256 each for 2^-11,
// 2^-19 and 2^-27; low half first.
struct Fraction { u64 low, high; };

__device__ u128 mul_high(u128 a, u128 b) {
    u64 a0 = (u64)a, a1 = (u64)(a >> 64), b0 = (u64)b, b1 = (u64)(b >> 64);
    u128 middle = (u128)a1 * b0 + (((u128)a0 * b0) >> 64);
    u128 other = (u128)a0 * b1 + (u64)middle;
    return (u128)a1 * b1 + (middle >> 64) + (other >> 64);
}

__device__ u128 load(const Fraction* table, u64 index) {
    Fraction f = table[index];
    return ((u128)f.high << 64) | f.low;
}

// The same from the upper halves: within 12 units of 2^-64 of it. Each factor is less than 1 unit too small, each product loses
// less than 1 more, and the polynomial, without its terms below 2^-83, less than 3.
__device__ u64 exp_neg_high(u64 top, u64 rest, const Fraction* table) {
    auto product = [](u64 a, u64 b) { return (u64)(((u128)a * b) >> 64); };
    u64 high = product(table[top >> 24].high, table[176 + ((top >> 16) & 255)].high);
    u64 low = product(table[432 + ((top >> 8) & 255)].high, table[688 + (top & 255)].high);
    return product(product(high, low), ~0ULL - rest + (product(rest, rest) >> 1));
}

__device__ u128 exp_neg_whole(u64 top, u64 rest, const Fraction* table) {
    u128 high = mul_high(load(table, top >> 24), load(table + 176, (top >> 16) & 255));
    u128 low = mul_high(load(table + 432, (top >> 8) & 255), load(table + 688, top & 255));
    u128 z = rest, z2 = z * z, z3 = (z2 * z) >> 65, z4 = (z3 * z) >> 64;
    u128 polynomial = ~(u128)0 - (z << 64) + (z2 >> 1) - (u64)z3 / 3 + (u64)z4 / 12;
    return mul_high(mul_high(high, low), polynomial);
}

// `shift` is at most 63.
__device__ u32 exp_neg(u64 p, u32 shift, const Fraction* table) {
    u64 whole = p >> shift;
    if (whole >= 22) return 0;
    if (p == 0) return 1u << 30;
    u64 fraction = shift ? p << (64 - shift) : 0;
    u64 rest = fraction & ((1ULL << 37) - 1), top = (whole << 27) | (fraction >> 37);
    // 31 bits, of which the last rounds. Where the rest of the upper half does not decide them, all bits do.
    u64 upper = exp_neg_high(top, rest, table);
    if ((upper + 16) >> 33 != (upper - 16) >> 33) upper = (u64)(exp_neg_whole(top, rest, table) >> 64);
    return ((u32)(upper >> 33) + 1) >> 1;
}

#define SOFTMAX(T) \
    KERNEL softmax_##T(const T* x, i32* y, u64 rows, u32 row, u64 multiplier, u32 shift, u32 fraction_bits, \
                       const Fraction* table) { \
        __shared__ i32 maxima[32]; \
        __shared__ u64 sums[32]; \
        for (u64 r = blockIdx.x; r < rows; r += gridDim.x) { \
            const T* in = x + r * row; \
            i32* out = y + r * row; \
            i32 most = (i32)Range<i32>::lo; \
            for (u32 i = threadIdx.x; i < row; i += blockDim.x) most = max(most, (i32)in[i]); \
            most = block_reduce<i32>(most, [](i32 p, i32 q) { return p > q ? p : q; }, maxima); \
            u64 sum = 0; \
            for (u32 i = threadIdx.x; i < row; i += blockDim.x) { \
                u32 e = exp_neg((u64)((i64)most - (i64)in[i]) * multiplier, shift, table); \
                sum += e; \
                out[i] = (i32)e; \
            } \
            sum = block_reduce<u64>(sum, [](u64 p, u64 q) { return p + q; }, sums); \
            for (u32 i = threadIdx.x; i < row; i += blockDim.x) \
                out[i] = (i32)rne_div((u64)(u32)out[i] << fraction_bits, sum); \
        } \
    }
SOFTMAX(i8) SOFTMAX(i16) SOFTMAX(i32)

// ---------------------------------------------------------------------------------------------------
// Norms: `norm.rs` has the formula and the widths of its numbers.

__device__ u64 integer_root(u128 value) {
    u64 root = 0;
    for (int bit = 32; bit >= 0; bit--) {
        u64 next = root | (1ULL << bit);
        if ((u128)next * next <= value) root = next;
    }
    return root;
}

__device__ void reciprocal_root(u128 radicand, u64& root, u32& exponent) {
    root = 0; exponent = 0;
    if (radicand == 0) return;
    u64 high = (u64)(radicand >> 64), low = (u64)radicand;
    u32 log = high ? 127 - __clzll(high) : 63 - __clzll(low);
    exponent = log / 2;
    u128 normal = exponent <= 31 ? radicand << (62 - 2 * exponent) : radicand >> (2 * exponent - 62);
    root = (integer_root(((u128)1 << 126) / normal) + 1) / 2;
}

// The sum of squares of a row, of which each thread of a block adds its part.
struct Squares {
    u64 low = 0, high = 0;

    __device__ void add(i64 value) {
        u64 square = (u64)(value * value);
        low += square & 0xffffffff;
        high += square >> 32;
    }
    __device__ u128 total(u64* scratch) {
        auto sum = [](u64 p, u64 q) { return p + q; };
        low = block_reduce<u64>(low, sum, scratch);
        high = block_reduce<u64>(high, sum, scratch);
        return ((u128)high << 32) + low;
    }
};

// One block for a row. With `bias` a layer norm, without one an RMS norm.
#define NORM(X, Y) \
    KERNEL norm_##X##_##Y(const X* x, Y* y, u64 rows, u32 row, const i32* gain, const i32* bias, u64 epsilon, u32 shift) { \
        __shared__ u64 parts[32]; \
        __shared__ i64 sums[32]; \
        __shared__ u64 shared_root; \
        __shared__ u32 shared_exponent; \
        for (u64 r = blockIdx.x; r < rows; r += gridDim.x) { \
            const X* in = x + r * row; \
            Squares own; \
            i64 sum = 0; \
            for (u32 i = threadIdx.x; i < row; i += blockDim.x) { \
                own.add(in[i]); \
                sum += in[i]; \
            } \
            u128 squares = own.total(parts); \
            sum = block_reduce<i64>(sum, [](i64 p, i64 q) { return p + q; }, sums); \
            if (!bias) sum = 0; \
            if (threadIdx.x == 0) { \
                u64 magnitude = (u64)(sum < 0 ? -sum : sum); \
                u128 variance = squares * row - (u128)magnitude * magnitude; \
                u128 radicand = (variance << 24) + (u128)((u64)row * row) * epsilon; \
                reciprocal_root(radicand, shared_root, shared_exponent); \
            } \
            __syncthreads(); \
            i64 root = (i64)shared_root; \
            u32 scale = shared_exponent + 19; \
            for (u32 i = threadIdx.x; i < row; i += blockDim.x) { \
                i128 product = (i128)((i64)row * in[i] - sum) * gain[i] * root; \
                if (bias) product += (i128)bias[i] << scale; \
                y[r * row + i] = saturate_wide<Y>(rne_shift<i128>(product, scale + shift)); \
            } \
            __syncthreads(); \
        } \
    }
#define NORMS(X) NORM(X, i8) NORM(X, i16) NORM(X, i32)
NORMS(i8) NORMS(i16) NORMS(i32)

// One block for a row.
#define L2_NORM(X, Y) \
    KERNEL l2_norm_##X##_##Y(const X* x, Y* y, u64 rows, u32 row, u64 epsilon, u32 fraction_bits) { \
        __shared__ u64 parts[32]; \
        __shared__ u64 shared_root; \
        __shared__ u32 shared_exponent; \
        for (u64 r = blockIdx.x; r < rows; r += gridDim.x) { \
            const X* in = x + r * row; \
            Squares own; \
            for (u32 i = threadIdx.x; i < row; i += blockDim.x) own.add(in[i]); \
            u128 squares = own.total(parts); \
            if (threadIdx.x == 0) reciprocal_root((squares << 24) + epsilon, shared_root, shared_exponent); \
            __syncthreads(); \
            i128 root = (i128)shared_root << fraction_bits; \
            u32 scale = shared_exponent + 19; \
            for (u32 i = threadIdx.x; i < row; i += blockDim.x) \
                y[r * row + i] = saturate_wide<Y>(rne_shift<i128>(in[i] * root, scale)); \
            __syncthreads(); \
        } \
    }
#define L2_NORMS(X) L2_NORM(X, i8) L2_NORM(X, i16) L2_NORM(X, i32)
L2_NORMS(i8) L2_NORMS(i16) L2_NORMS(i32)

// Dynamic quantisation of rows, see `quantise.rs`.
#define ROW_STEP(X) \
    KERNEL row_step_##X(const X* x, i64* y, u64 rows, u32 row, u32 largest) { \
        __shared__ u64 parts[32]; \
        for (u64 r = blockIdx.x; r < rows; r += gridDim.x) { \
            u64 most = 0; \
            for (u32 i = threadIdx.x; i < row; i += blockDim.x) { \
                i64 value = x[r * row + i]; \
                u64 magnitude = (u64)(value < 0 ? -value : value); \
                most = most > magnitude ? most : magnitude; \
            } \
            most = block_reduce<u64>(most, [](u64 p, u64 q) { return p > q ? p : q; }, parts); \
            u64 step = ((most << 32) + largest - 1) / largest; \
            if (threadIdx.x == 0) y[r] = step ? (i64)step : 1; \
        } \
    }
ROW_STEP(i8) ROW_STEP(i16) ROW_STEP(i32)

#define QUANTISE_ROWS(X, Y) \
    KERNEL quantise_rows_##X##_##Y(const X* x, const i64* steps, Y* y, u64 rows, u32 row) { \
        FOR_ROWS(r, rows) FOR_COLUMNS(j, row) { \
            i64 value = x[r * row + j]; \
            u64 quotient = rne_div((u64)(value < 0 ? -value : value) << 32, (u64)steps[r]); \
            y[r * row + j] = saturate_wide<Y>(value < 0 ? -(i128)quotient : (i128)quotient); \
        } \
    }
QUANTISE_ROWS(i8, i8) QUANTISE_ROWS(i8, i16) QUANTISE_ROWS(i16, i8) QUANTISE_ROWS(i16, i16)
QUANTISE_ROWS(i32, i8) QUANTISE_ROWS(i32, i16)

// ---------------------------------------------------------------------------------------------------
// Rows and tokens: what encoders do around their products.

// y[r][j] = sat(x[r][j] + constants[j])
#define ADD_ROWS(T) \
    KERNEL add_rows_##T(const T* x, const T* constants, T* y, u64 rows, u32 row) { \
        FOR_COLUMNS(j, row) { \
            T constant = constants[j]; \
            FOR_ROWS(r, rows) y[r * row + j] = binary_one<T, Wide<T>::type>(0, x[r * row + j], constant); \
        } \
    }
FOR_ALL_TYPES(ADD_ROWS)

// Rows of a table by their numbers, which are inside it.
#define GATHER(NAME, T) \
    KERNEL gather_##NAME(const i32* x, const T* table, T* y, u64 rows, u32 columns) { \
        FOR_ROWS(r, rows) { \
            const T* from = table + (u64)x[r] * columns; \
            FOR_COLUMNS(j, columns) y[r * columns + j] = from[j]; \
        } \
    }
GATHER(1, u8) GATHER(2, i16) GATHER(4, i32) GATHER(8, i64)

// Rows of `row` elements to `start` of rows of `total`.
#define PLACE(NAME, T) \
    KERNEL place_##NAME(const T* x, T* y, u64 rows, u32 row, u32 total, u32 start) { \
        FOR_ROWS(r, rows) FOR_COLUMNS(j, row) y[r * total + start + j] = x[r * row + j]; \
    }
PLACE(1, u8) PLACE(2, i16) PLACE(4, i32) PLACE(8, i64)

// `[..][a][b][inner]` as `[..][b][a][inner]`; `rows` is all but the last axis.
struct alignas(16) Sixteen { u64 at[2]; };
#define SWAP_AXES(NAME, T) \
    KERNEL swap_axes_##NAME(const T* x, T* y, u64 rows, u32 a, u32 b, u32 inner) { \
        FOR_ROWS(r, rows) { \
            u64 outer = r / ((u64)a * b), rest = r - outer * a * b, j = rest / a, i = rest - j * a; \
            const T* from = x + ((outer * a + i) * b + j) * inner; \
            FOR_COLUMNS(c, inner) y[r * inner + c] = from[c]; \
        } \
    }
SWAP_AXES(1, u8) SWAP_AXES(2, i16) SWAP_AXES(4, i32) SWAP_AXES(8, i64) SWAP_AXES(16, Sixteen)

// rne(sum / n), n not zero.
template <typename W> __device__ W rne_mean(W sum, u32 n) {
    return sum < 0 ? -rne_div<W>(-sum, n) : rne_div<W>(sum, n);
}

// y[r][j] = rne(sum over i below n of x[r][i][j] / n), n = tokens[r] of at least 1 and at most `length`.
#define MEAN_POOL(T) \
    KERNEL mean_pool_##T(const T* x, const i32* tokens, T* y, u64 rows, u32 length, u32 columns) { \
        FOR_COLUMNS(j, columns) FOR_ROWS(r, rows) { \
            const T* from = x + r * length * columns + j; \
            u32 n = (u32)tokens[r]; \
            Wide<T>::type sum = 0; \
            for (u32 i = 0; i < n; i++) sum += from[(u64)i * columns]; \
            y[r * columns + j] = (T)rne_mean(sum, n); \
        } \
    }
FOR_ALL_TYPES(MEAN_POOL)

// ---------------------------------------------------------------------------------------------------
// Windows over images `[image][row][column][channel]`; a place counts those of the window through all images.

struct Window {
    u32 input[2], output[2], kernel[2], strides[2], pads[2], dilations[2];
};

#define BESIDE (~0ULL)

// The pixel, counted through all images, that a tap reads at a place.
__device__ u64 pixel(const Window& w, u64 place, u32 tap) {
    u64 rows = place / w.output[1], column = place - rows * w.output[1];
    u64 image = rows / w.output[0], row = rows - image * w.output[0];
    u32 i = tap / w.kernel[1], j = tap - i * w.kernel[1];
    i64 y = (i64)(row * w.strides[0] + (u64)i * w.dilations[0]) - w.pads[0];
    i64 x = (i64)(column * w.strides[1] + (u64)j * w.dilations[1]) - w.pads[1];
    if (y < 0 || y >= w.input[0] || x < 0 || x >= w.input[1]) return BESIDE;
    return (image * w.input[0] + (u64)y) * w.input[1] + (u64)x;
}

// What the window sees at each place: rows of taps, each with its channels.
#define PATCHES(T) \
    KERNEL patches_##T(const T* x, T* y, u64 places, u32 row, u32 channels, i64 pad, Window w) { \
        FOR_COLUMNS(j, row) { \
            u32 tap = j / channels, channel = j - tap * channels; \
            FOR_ROWS(p, places) { \
                u64 at = pixel(w, p, tap); \
                y[p * row + j] = at == BESIDE ? (T)pad : x[at * channels + channel]; \
            } \
        } \
    }
PATCHES(i8) PATCHES(u8) PATCHES(i16)

// A convolution of several groups of channels, weights `[outputs][taps][channels of a group]`. The bound of every sum is proven.
#define GROUPED(T, Y) \
    KERNEL grouped_##T##_##Y(const T* x, const i8* weights, const i32* bias, Y* y, u64 places, u32 outputs, u32 taps, \
                             u32 channels, u32 groups, i64 pad, Window w) { \
        u32 of_group = channels / groups, made = outputs / groups; \
        FOR_COLUMNS(o, outputs) { \
            const i8* own = weights + (u64)o * taps * of_group; \
            FOR_ROWS(p, places) { \
                i64 sum = bias[o]; \
                for (u32 tap = 0; tap < taps; tap++) { \
                    u64 at = pixel(w, p, tap); \
                    const T* from = x + at * channels + (u64)(o / made) * of_group; \
                    for (u32 c = 0; c < of_group; c++) { \
                        i64 value = at == BESIDE ? pad : (i64)from[c]; \
                        sum += value * own[(u64)tap * of_group + c]; \
                    } \
                } \
                y[p * outputs + o] = (Y)sum; \
            } \
        } \
    }
#define GROUPED_TO(T) GROUPED(T, i32) GROUPED(T, i64)
GROUPED_TO(i8) GROUPED_TO(u8) GROUPED_TO(i16)

// The largest (0), the mean of all taps (1) or the mean of what is seen (2).
#define POOL(T) \
    KERNEL pool_##T(const T* x, T* y, u64 places, u32 channels, u32 taps, u32 mode, Window w) { \
        FOR_COLUMNS(c, channels) FOR_ROWS(p, places) { \
            i64 most = Range<T>::lo; \
            Wide<T>::type sum = 0; \
            u32 seen = 0; \
            for (u32 tap = 0; tap < taps; tap++) { \
                u64 at = pixel(w, p, tap); \
                if (at == BESIDE) continue; \
                i64 value = x[at * channels + c]; \
                most = value > most ? value : most; \
                sum += value; \
                seen++; \
            } \
            u32 count = mode == 1 ? taps : seen; \
            y[p * channels + c] = mode == 0 ? (T)most : count == 0 ? (T)0 : (T)rne_mean(sum, count); \
        } \
    }
FOR_ALL_TYPES(POOL)

// ---------------------------------------------------------------------------------------------------
// Attention: `ops/attention.rs` has the formula. Scores `[heads][queries][keys]` come from a product;
// here they become exponentials, in place, and each query's sum of them.

// How many keys a query sees: always the first ones. `lengths` and `positions` may be absent.
__device__ u32 visible(const u32* lengths, const u32* positions, u64 batch, u32 query, u32 keys) {
    u64 seen = lengths ? lengths[batch] : keys;
    if (positions) {
        u64 causal = (u64)positions[batch] + query + 1;
        seen = seen < causal ? seen : causal;
    }
    return (u32)seen;
}

// One block for a query of a head; `per` heads belong to one element of the batch. The exponentials also
// go to four planes of signed bytes, `e = sum over p of 2^(8 p) * (plane_p + 128)`, rows of `keys_pad` filled up
// with zeros, for the product with the values.
KERNEL attention_exponentials(const i32* scores, u32 stride, i8* planes, u64 plane, u64* totals, u64 rows, u32 queries,
                              u32 keys, u32 keys_pad, u64 per, const u32* lengths, const u32* positions,
                              u64 multiplier, u32 shift, const Fraction* table) {
    __shared__ i32 maxima[32];
    __shared__ u64 sums[32];
    for (u64 r = blockIdx.x; r < rows; r += gridDim.x) {
        const i32* in = scores + r * stride;
        i8* out = planes + r * keys_pad;
        u32 seen = visible(lengths, positions, r / queries / per, (u32)(r % queries), keys);
        i32 most = (i32)Range<i32>::lo;
        for (u32 i = threadIdx.x; i < seen; i += blockDim.x) most = max(most, in[i]);
        most = block_reduce<i32>(most, [](i32 p, i32 q) { return p > q ? p : q; }, maxima);
        u64 sum = 0;
        for (u32 i = threadIdx.x; i < keys_pad; i += blockDim.x) {
            u32 e = i < seen ? exp_neg((u64)((i64)most - (i64)in[i]) * multiplier, shift, table) : 0;
            sum += e;
            u32 offset = i < keys ? e ^ 0x80808080u : 0;
            for (u32 p = 0; p < 4; p++) out[p * plane + i] = (i8)(offset >> (8 * p));
        }
        sum = block_reduce<u64>(sum, [](u64 p, u64 q) { return p + q; }, sums);
        if (threadIdx.x == 0) totals[r] = sum;
    }
}

// y = sat(rne(N * multiplier / (total * 2^shift))), 0 where no key is seen; N is the sum over planes of
// `2^(8 p) * (acc_p + 128 * columns)`. `acc` is `[4][heads of keys][rows of a head][width_pad]`, `columns` the sums of the
// values over all keys, `[heads of keys][width_pad]`; `per` rows belong to one head of keys.
KERNEL attention_quotients(const i32* acc, u64 plane, const i64* columns, const u64* totals, i8* y, u64 rows, u32 width,
                           u32 width_pad, u64 per, i32 multiplier, u32 shift) {
    FOR_ROWS(r, rows) FOR_COLUMNS(j, width) {
        i64 column = 128 * columns[r / per * width_pad + j], sum = 0;
        for (u32 p = 0; p < 4; p++) sum += ((i64)acc[p * plane + r * width_pad + j] + column) << (8 * p);
        u64 total = totals[r];
        i8 result = 0;
        if (total) {
            i128 numerator = (i128)sum * multiplier;
            u128 magnitude = (u128)(numerator < 0 ? -numerator : numerator), denominator = (u128)total << shift;
            // Far beyond the range of the result, where the quotient itself does not matter.
            if ((magnitude >> 9) >= denominator) result = numerator < 0 ? -128 : 127;
            else {
                // At most 512: bit by bit, because 128-bit division takes longer.
                u32 quotient = 0;
                for (int bit = 9; bit >= 0; bit--) {
                    u128 part = denominator << bit;
                    if (magnitude >= part) { magnitude -= part; quotient |= 1u << bit; }
                }
                u128 doubled = magnitude << 1;
                quotient += doubled > denominator || (doubled == denominator && (quotient & 1));
                result = saturate<i8>(numerator < 0 ? -(i64)quotient : (i64)quotient);
            }
        }
        y[r * width + j] = result;
    }
}

// ---------------------------------------------------------------------------------------------------
// Freivalds' check of products, over the field of 2^61 - 1: y r = x (w r) for a secret vector r.

#define FIELD ((1ULL << 61) - 1)

__device__ u64 field(u128 value) {
    u64 folded = (u64)(value & FIELD) + (u64)((value >> 61) & FIELD) + (u64)(value >> 122);
    folded = (folded & FIELD) + (folded >> 61);
    return folded >= FIELD ? folded - FIELD : folded;
}
__device__ u64 field_signed(i128 value) {
    if (value >= 0) return field((u128)value);
    u64 magnitude = field((u128)-value);
    return magnitude == 0 ? 0 : FIELD - magnitude;
}

// out[i] = a field element that follows from the key and i (the finaliser of SplitMix64).
KERNEL field_random(u64* out, u64 n, u64 key) {
    FOR_EACH(i, n) {
        u64 z = key + (i + 1) * 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        out[i] = field((u128)(z ^ (z >> 31)));
    }
}

// out[i] = sum over j of m[i][j] * v[j], rows `stride` apart; one warp for a row. `per` rows share a
// vector, and vectors follow each other, `vectors` apart. The sum is kept as `low + 2^32 * high`, with halves of `v`
// that make every product fit 64 bits: |value| <= 2^31, fewer than 2^31 columns.
#define FIELD_ROWS(T) \
    KERNEL field_rows_##T(const T* m, const u64* v, u64* out, u64 rows, u32 columns, u64 stride, u64 per, u64 vectors) { \
        u64 warp = ((u64)blockIdx.x * blockDim.x + threadIdx.x) >> 5, warps = ((u64)gridDim.x * blockDim.x) >> 5; \
        for (u64 r = warp; r < rows; r += warps) { \
            const u64* vector = v + r / per * vectors; \
            const T* in = m + r * stride; \
            i64 low = 0, middle = 0, high = 0; \
            for (u32 j = threadIdx.x & 31; j < columns; j += 32) { \
                i64 value = in[j]; \
                u64 element = vector[j]; \
                i64 first = value * (i64)(element & 0x7fffffff), second = value * (i64)(element >> 31); \
                low += first & 0xffffffff; \
                middle += (first >> 32); \
                high += second >> 32; \
                low += (second & 1) << 31; \
                middle += (second & 0xffffffff) >> 1; \
            } \
            /* first + 2^31 * second = low + 2^32 * middle + 2^63 * high */ \
            i128 sum = (i128)low + ((i128)middle << 32) + ((i128)high << 63); \
            u64 total = field_signed(sum); \
            for (int offset = 16; offset > 0; offset >>= 1) { \
                total += __shfl_down_sync(~0u, total, offset); \
                if (total >= FIELD) total -= FIELD; \
            } \
            if ((threadIdx.x & 31) == 0) out[r] = total; \
        } \
    }
FIELD_ROWS(i8) FIELD_ROWS(i32)

// out[b][j] = sum over i of m[b][i][j] * v[i]; a thread for a column.
KERNEL field_columns_i8(const i8* m, const u64* v, u64* out, u32 rows, u32 columns, u32 batches) {
    FOR_EACH(t, (u64)batches * columns) {
        u64 b = t / columns, j = t - b * columns;
        const i8* at = m + b * rows * columns + j;
        i128 sum = 0;
        for (u32 i = 0; i < rows; i++) sum += (i128)(i64)at[(u64)i * columns] * (i128)v[i];
        out[t] = field_signed(sum);
    }
}

// Sets `wrong` to `mark` where a and b differ anywhere.
KERNEL field_compare(const u64* a, const u64* b, u64 n, u32 mark, u32* wrong) {
    FOR_EACH(i, n) if (a[i] != b[i]) *wrong = mark;
}

// A fault on purpose, for tests.
KERNEL flip(u8* bytes, u64 at, u32 mask) { bytes[at] ^= (u8)mask; }
