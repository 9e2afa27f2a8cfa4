// cuBLASLt: products of 8-bit integers in the three ways that a node asks for (int8, bf16, f64), with exact sums. Whatever
// the real library could refuse, or could round, is refused here.
#include "card.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

enum Answer : int { SUCCESS = 0, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
// Of `cudaDataType` and `cublasComputeType_t`.
enum Type : int { R_32F = 0, R_64F = 1, R_8I = 3, R_32I = 10, R_16BF = 14 };
enum Compute : int { IN_32F = 68, IN_64F = 70, IN_32I = 72 };

struct Operation {
    int compute, scale;
    int transposed_a, transposed_b;
};

struct Layout {
    int type;
    uint64_t rows, columns;
    int64_t stride;
    int32_t batches;
    int64_t batch_stride;

    // Elements from the first to the last.
    uint64_t extent() const { return (batches - 1) * (uint64_t)batch_stride + (columns - 1) * (uint64_t)stride + rows; }
    bool same(const Layout& other) const {
        return type == other.type && rows == other.rows && columns == other.columns && stride == other.stride &&
               batches == other.batches && (batches == 1 || batch_stride == other.batch_stride);
    }
};

struct Preference {
    uint64_t workspace;
};

struct Algorithm {
    uint64_t data[8];
};

struct Proposal {
    Algorithm algorithm;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};

constexpr uint64_t MARK = 0x656d756c61746564;
// The second algorithm needs memory; the third does not work, as the library says where it proposes it.
constexpr size_t WORKSPACES[] = {0, 64 << 10, 0};
constexpr int PROPOSALS = 3, USABLE = 2;

size_t size_of(int type) {
    switch (type) {
        case R_8I: return 1;
        case R_16BF: return 2;
        case R_64F: return 8;
        default: return 4;
    }
}

// Below this, sums are exact in any order.
int64_t limit(int type) { return type == R_32I ? INT32_MAX : type == R_32F ? 1 << 24 : (int64_t)1 << 53; }

// What the real library refuses, or may refuse, ends the process: a node would leave such a product to the CPU, and no test
// would notice.
void check(const Operation& operation, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
    auto want = [](bool right, const char* what) {
        if (!right) emulated::die("a product with %s", what);
    };
    struct {
        int compute, scale, operand, sum;
    } known[] = {{IN_32I, R_32I, R_8I, R_32I}, {IN_32F, R_32F, R_16BF, R_32F}, {IN_64F, R_64F, R_64F, R_64F}};
    bool types = std::any_of(std::begin(known), std::end(known), [&](const auto& k) {
        return operation.compute == k.compute && operation.scale == k.scale && a.type == k.operand &&
               b.type == k.operand && d.type == k.sum;
    });
    want(types, "types that do not belong together");
    want(operation.transposed_a && !operation.transposed_b, "other operands than A transposed, B as it is");
    want(c.same(d), "different layouts of C and D");
    want(a.rows == b.rows && d.rows == a.columns && d.columns == b.columns, "sides that do not fit");
    want(a.batches == b.batches && a.batches == d.batches && a.batches >= 1, "different numbers of batches");
    for (const Layout* layout : {&a, &b, &d}) {
        want(layout->rows > 0 && layout->columns > 0, "an empty side");
        want(layout->stride >= (int64_t)layout->rows, "columns that overlap");
        // What tensor cores for int8 want; kept for the other units too.
        want(layout->rows % 16 == 0 && layout->stride % 16 == 0, "rows or strides that are no multiples of 16");
        want(layout->batches == 1 || layout->batch_stride % 16 == 0, "batches at no multiples of 16");
    }
    want(d.batches == 1 || d.batch_stride >= (int64_t)((d.columns - 1) * d.stride + d.rows), "sums that overlap");
}

int16_t integer(double value) {
    if (value != std::trunc(value) || std::fabs(value) > 128) emulated::die("a product of %g, which is not of 8 bits", value);
    return (int16_t)value;
}

// A batch entry as integers, its columns one after the other.
std::vector<int16_t> integers(const Layout& layout, const void* at, int32_t batch) {
    std::vector<int16_t> out(layout.rows * layout.columns);
    for (uint64_t column = 0; column < layout.columns; column++) {
        uint64_t from = batch * (uint64_t)(layout.batches > 1 ? layout.batch_stride : 0) + column * layout.stride;
        int16_t* to = &out[column * layout.rows];
        for (uint64_t i = 0; i < layout.rows; i++) {
            if (layout.type == R_8I) {
                to[i] = ((const int8_t*)at)[from + i];
            } else if (layout.type == R_16BF) {
                uint32_t bits = (uint32_t)((const uint16_t*)at)[from + i] << 16;
                float value;
                memcpy(&value, &bits, sizeof(value));
                to[i] = integer(value);
            } else {
                to[i] = integer(((const double*)at)[from + i]);
            }
        }
    }
    return out;
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx2", "default")))
#endif
int32_t sum_of_products(const int16_t* a, const int16_t* b, uint64_t count) {
    int32_t sum = 0;
    for (uint64_t i = 0; i < count; i++) sum += (int32_t)a[i] * b[i];
    return sum;
}

int64_t dot(const int16_t* a, const int16_t* b, uint64_t count, int64_t most) {
    int64_t sum = 0;
    for (uint64_t from = 0; from < count; from += 1 << 16) {
        sum += sum_of_products(a + from, b + from, std::min<uint64_t>(count - from, 1 << 16));
    }
    // Sure to be exact in any order; otherwise it depends on the values.
    if ((int64_t)count * 128 * 128 > most) {
        int64_t magnitudes = 0;
        for (uint64_t i = 0; i < count; i++) magnitudes += std::abs((int32_t)a[i] * b[i]);
        if (magnitudes > most) emulated::die("a sum of %zu products that the unit may round", (size_t)count);
    }
    return sum;
}

void multiply(const Layout& a, const void* a_at, const Layout& b, const void* b_at, const Layout& d, void* d_at) {
    for (int32_t batch = 0; batch < d.batches; batch++) {
        std::vector<int16_t> left = integers(a, a_at, batch), right = integers(b, b_at, batch);
        for (uint64_t column = 0; column < d.columns; column++) {
            uint64_t to = batch * (uint64_t)(d.batches > 1 ? d.batch_stride : 0) + column * d.stride;
            for (uint64_t row = 0; row < d.rows; row++) {
                int64_t sum = dot(&left[row * a.rows], &right[column * b.rows], a.rows, limit(d.type));
                if (d.type == R_32I) ((int32_t*)d_at)[to + row] = (int32_t)sum;
                else if (d.type == R_32F) ((float*)d_at)[to + row] = (float)sum;
                else ((double*)d_at)[to + row] = (double)sum;
            }
        }
    }
}

bool is_number(const void* at, int type, int value) {
    if (type == R_32I) return *(const int32_t*)at == value;
    if (type == R_32F) return *(const float*)at == (float)value;
    return *(const double*)at == (double)value;
}

} // namespace

EXPORT int cublasLtCreate(void** out) {
    *out = new char;
    return SUCCESS;
}
EXPORT int cublasLtDestroy(void* handle) {
    delete (char*)handle;
    return SUCCESS;
}

EXPORT int cublasLtMatmulDescCreate(Operation** out, int compute, int scale) {
    *out = new Operation{compute, scale, 0, 0};
    return SUCCESS;
}
EXPORT int cublasLtMatmulDescDestroy(Operation* operation) {
    delete operation;
    return SUCCESS;
}
EXPORT int cublasLtMatmulDescSetAttribute(Operation* operation, int attribute, const void* value, size_t bytes) {
    if (bytes != sizeof(int)) return INVALID_VALUE;
    int number = *(const int*)value;
    if (number != 0 && number != 1) return NOT_SUPPORTED;
    switch (attribute) {
        case 3: operation->transposed_a = number; return SUCCESS;
        case 4: operation->transposed_b = number; return SUCCESS;
        default: return NOT_SUPPORTED;
    }
}

EXPORT int cublasLtMatrixLayoutCreate(Layout** out, int type, uint64_t rows, uint64_t columns, int64_t stride) {
    *out = new Layout{type, rows, columns, stride, 1, 0};
    return SUCCESS;
}
EXPORT int cublasLtMatrixLayoutDestroy(Layout* layout) {
    delete layout;
    return SUCCESS;
}
EXPORT int cublasLtMatrixLayoutSetAttribute(Layout* layout, int attribute, const void* value, size_t bytes) {
    switch (attribute) {
        case 5:
            if (bytes != sizeof(int32_t)) return INVALID_VALUE;
            layout->batches = *(const int32_t*)value;
            return SUCCESS;
        case 6:
            if (bytes != sizeof(int64_t)) return INVALID_VALUE;
            layout->batch_stride = *(const int64_t*)value;
            return SUCCESS;
        default: return NOT_SUPPORTED;
    }
}

EXPORT int cublasLtMatmulPreferenceCreate(Preference** out) {
    *out = new Preference{0};
    return SUCCESS;
}
EXPORT int cublasLtMatmulPreferenceDestroy(Preference* preference) {
    delete preference;
    return SUCCESS;
}
EXPORT int cublasLtMatmulPreferenceSetAttribute(Preference* preference, int attribute, const void* value, size_t bytes) {
    if (attribute != 1) return NOT_SUPPORTED;
    if (bytes != sizeof(uint64_t)) return INVALID_VALUE;
    preference->workspace = *(const uint64_t*)value;
    return SUCCESS;
}

EXPORT int cublasLtMatmulAlgoGetHeuristic(void*, const Operation* operation, const Layout* a, const Layout* b,
                                          const Layout* c, const Layout* d, const Preference* preference, int asked,
                                          Proposal* proposals, int* count) {
    *count = 0;
    if (asked < 1) return INVALID_VALUE;
    check(*operation, *a, *b, *c, *d);
    for (int i = 0; i < PROPOSALS && *count < asked; i++) {
        if (WORKSPACES[i] > preference->workspace) continue;
        Proposal& proposal = proposals[(*count)++];
        proposal = {{{MARK, (uint64_t)i}}, WORKSPACES[i], i < USABLE ? SUCCESS : NOT_SUPPORTED, 1, {}};
    }
    return SUCCESS;
}

EXPORT int cublasLtMatmul(void*, const Operation* operation, const void* alpha, const void* a_at, const Layout* a,
                          const void* b_at, const Layout* b, const void* beta, const void* c_at, const Layout* c, void* d_at,
                          const Layout* d, const Algorithm* algorithm, void* workspace, size_t workspace_bytes,
                          void* stream) {
    check(*operation, *a, *b, *c, *d);
    if (!is_number(alpha, operation->scale, 1) || !is_number(beta, operation->scale, 0) || c_at != d_at) {
        emulated::die("a product with factors, or with a C that is not D");
    }
    if (algorithm->data[0] != MARK || algorithm->data[1] >= USABLE) emulated::die("a product by an algorithm that does not work");
    size_t scratch = WORKSPACES[algorithm->data[1]];
    if (scratch > workspace_bytes || !emulated::owns(workspace, workspace_bytes)) emulated::die("a product without a workspace");
    struct {
        const void* at;
        const Layout* layout;
    } all[] = {{a_at, a}, {b_at, b}, {d_at, d}};
    for (const auto& one : all) {
        if ((uintptr_t)one.at % 16 != 0) emulated::die("a product at an address that is no multiple of 16");
        if (!emulated::owns(one.at, one.layout->extent() * size_of(one.layout->type))) {
            emulated::die("a product reaches out of the memory of the card");
        }
    }
    auto work = [a = *a, b = *b, d = *d, a_at, b_at, d_at, workspace, scratch] {
        emulated::note(scratch == 0 ? "(product)" : "(product-with-workspace)");
        memset(workspace, 0x5c, scratch);
        multiply(a, a_at, b, b_at, d, d_at);
    };
    return emulated::enqueue(stream, work) == 0 ? SUCCESS : EXECUTION_FAILED;
}
