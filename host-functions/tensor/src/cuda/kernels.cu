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

// Below 2^63 over not zero.
__device__ u64 rne_div(u64 numerator, u64 denominator) {
    u64 quotient = numerator / denominator;
    u64 remainder = numerator - quotient * denominator;
    u64 missing = denominator - remainder;
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
        FOR_EACH(i, rows * k_pad) { \
            u64 row = i / k_pad; \
            u32 column = (u32)(i - row * k_pad); \
            if (column < k) Planes<T>::split(x[row * k + column], out, i, plane); \
            else { out[i] = 0; if (plane) out[i + plane] = 0; } \
        } \
    }
TO_PLANES(i8) TO_PLANES(u8) TO_PLANES(i16)

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
        FOR_EACH(i, rows * n) { \
            u64 r = i / n; \
            u32 j = (u32)(i - r * n); \
            U value = first ? (U)((column ? column[r / per * n_pad + j] : 0) + (row ? row[r] : 0)) : (U)y[i]; \
            y[i] = (T)(value + (U)factor * (U)(i64)acc[r * n_pad + j]); \
        } \
    }
COMBINE(i32, u32) COMBINE(i64, u64)

// y = requantise(acc + column[j]) without writing the sums: `linear` and the `requantise` that alone
// reads it, in one pass. Scales are one for all or one a column.
#define COMBINE_REQUANTISE(T) \
    KERNEL combine_requantise_##T(const i32* acc, T* y, const i64* column, u64 rows, u32 n, u32 n_pad, \
                                  const i32* multipliers, const u8* shifts, u32 per_column, i32 zero_point) { \
        FOR_EACH(i, rows * n) { \
            u64 r = i / n; \
            u32 j = (u32)(i - r * n), s = per_column ? j : 0; \
            i64 sum = (i64)(i32)((u32)acc[r * n_pad + j] + (u32)(column ? column[j] : 0)); \
            y[i] = requantise_one<T>(sum, multipliers[s], shifts[s], zero_point); \
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
    KERNEL requantise_##X##_##T(const X* x, T* y, u64 n, u32 row, const i32* multipliers, const u8* shifts, \
                                u32 per_column, i32 zero_point) { \
        FOR_EACH(i, n) { \
            u32 s = per_column ? (u32)(i % row) : 0; \
            y[i] = requantise_one<T>(x[i], multipliers[s], shifts[s], zero_point); \
        } \
    }
#define REQUANTISE_TO(T) REQUANTISE(i32, T) REQUANTISE(i64, T)
FOR_ALL_TYPES(REQUANTISE_TO)

// A sum of two 64-bit values that leaves 64 bits has two operands of the same sign, and not its own.
template <typename T> __device__ T add_one(T a, T b) { return saturate<T>((i64)a + (i64)b); }
template <> __device__ i64 add_one<i64>(i64 a, i64 b) {
    i64 sum = (i64)((u64)a + (u64)b);
    if (((a ^ sum) & (b ^ sum)) < 0) return a < 0 ? Range<i64>::lo : Range<i64>::hi;
    return sum;
}

// Where an element of a result comes from: `dims` is the shape of the result, the innermost axis last.
struct Strides {
    u32 rank;
    u32 dims[8];
    u64 a[8];
    u64 b[8];
};

__device__ void locate(const Strides& s, u64 i, u64& a, u64& b) {
    a = 0; b = 0;
    for (int axis = (int)s.rank - 1; axis >= 0; axis--) {
        u64 rest = i / s.dims[axis], at = i - rest * s.dims[axis];
        a += at * s.a[axis];
        b += at * s.b[axis];
        i = rest;
    }
}

#define ELEMENTWISE(T) \
    KERNEL add_##T(const T* a, const T* b, T* y, u64 n) { FOR_EACH(i, n) y[i] = add_one<T>(a[i], b[i]); } \
    KERNEL add_strided_##T(const T* a, const T* b, T* y, u64 n, Strides s) { \
        FOR_EACH(i, n) { u64 p, q; locate(s, i, p, q); y[i] = add_one<T>(a[p], b[q]); } \
    } \
    KERNEL relu_##T(const T* x, T* y, u64 n) { FOR_EACH(i, n) y[i] = x[i] < 0 ? (T)0 : x[i]; }
FOR_ALL_TYPES(ELEMENTWISE)

#define COPY(NAME, T) \
    KERNEL copy_strided_##NAME(const T* x, T* y, u64 n, Strides s) { \
        FOR_EACH(i, n) { u64 p, q; locate(s, i, p, q); y[i] = x[p]; } \
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

__device__ u32 exp_neg(u64 p, u32 shift, const Fraction* table) {
    if ((p >> shift) >= 22) return 0;
    u128 y = ((u128)p << 64) >> shift;
    u64 rest = (u64)y & ((1ULL << 37) - 1), top = (u64)(y >> 37);
    u128 high = mul_high(load(table, top >> 24), load(table + 176, (top >> 16) & 255));
    u128 low = mul_high(load(table + 432, (top >> 8) & 255), load(table + 688, top & 255));
    u128 z = rest, z2 = z * z, z3 = (z2 * z) >> 65, z4 = (z3 * z) >> 64;
    u128 polynomial = ~(u128)0 - (z << 64) + (z2 >> 1) - (u64)z3 / 3 + (u64)z4 / 12;
    u128 fraction = mul_high(mul_high(high, low), polynomial);
    return ((u32)(fraction >> 97) + 1) >> 1;
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

// out[i] = sum over j of m[i][j] * v[j], rows `stride` apart; one block for a row. `per` rows share a
// vector, and vectors follow each other, `vectors` apart.
#define FIELD_ROWS(T) \
    KERNEL field_rows_##T(const T* m, const u64* v, u64* out, u64 rows, u32 columns, u64 stride, u64 per, u64 vectors) { \
        __shared__ u64 parts[32]; \
        for (u64 r = blockIdx.x; r < rows; r += gridDim.x) { \
            const u64* vector = v + r / per * vectors; \
            i128 sum = 0; \
            for (u32 j = threadIdx.x; j < columns; j += blockDim.x) \
                sum += (i128)(i64)m[r * stride + j] * (i128)vector[j]; \
            u64 total = block_reduce<u64>(field_signed(sum), [](u64 p, u64 q) { \
                u64 s = p + q; \
                return s >= FIELD ? s - FIELD : s; \
            }, parts); \
            if (threadIdx.x == 0) out[r] = total; \
        } \
    }
// |value| <= 2^31 and fewer than 2^32 columns: below 2^124.
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
