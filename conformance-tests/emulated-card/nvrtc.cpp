// The run-time compiler, which compiles nothing: the emulated card has the kernels already. It only takes the source that
// they were built from (SOURCE), so that nobody tests yesterday's.
#include "card.h"

#include <cstring>
#include <string>

asm(R"(
    .section .rodata
    .globl emulated_source, emulated_source_end
    .hidden emulated_source, emulated_source_end
emulated_source:
    .incbin ")" SOURCE R"("
emulated_source_end:
    .text
)");
extern "C" const char emulated_source[], emulated_source_end[];

namespace {

enum Answer : int { SUCCESS = 0, INVALID_INPUT = 3, INVALID_OPTION = 5, COMPILATION = 6 };

struct Program {
    std::string source, log, image;
};

} // namespace

EXPORT int nvrtcCreateProgram(Program** out, const char* source, const char*, int headers, const char* const*,
                              const char* const*) {
    if (!source || headers != 0) return INVALID_INPUT;
    *out = new Program{source, "", ""};
    return SUCCESS;
}
EXPORT int nvrtcDestroyProgram(Program** program) {
    delete *program;
    *program = nullptr;
    return SUCCESS;
}
EXPORT int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
    bool architecture = false;
    for (int i = 0; i < count; i++) architecture |= strncmp(options[i], "--gpu-architecture=compute_", 27) == 0;
    if (!architecture) {
        program->log = "the emulated card: no architecture is named";
        return INVALID_OPTION;
    }
    if (program->source != std::string(emulated_source, emulated_source_end)) {
        program->log = "the emulated card was built from other kernels: build it again";
        return COMPILATION;
    }
    program->image = emulated::IMAGE;
    return SUCCESS;
}
EXPORT int nvrtcGetPTXSize(Program* program, size_t* bytes) {
    *bytes = program->image.size() + 1;
    return SUCCESS;
}
EXPORT int nvrtcGetPTX(Program* program, char* out) {
    memcpy(out, program->image.c_str(), program->image.size() + 1);
    return SUCCESS;
}
EXPORT int nvrtcGetProgramLogSize(Program* program, size_t* bytes) {
    *bytes = program->log.size() + 1;
    return SUCCESS;
}
EXPORT int nvrtcGetProgramLog(Program* program, char* out) {
    memcpy(out, program->log.c_str(), program->log.size() + 1);
    return SUCCESS;
}
EXPORT const char* nvrtcGetErrorString(int) { return "an error of the emulated card"; }
