//! The allow-list of WebAssembly proposals.

use noema_abi::ProtocolVersion;
use wasmparser::WasmFeatures;

/// What modules of a version may use: WebAssembly 1.0 and what today's stable Rust compiler emits, plus fixed-width
/// SIMD. Whatever is not named here is refused, also proposals that did not exist when this was written.
pub(super) fn allowed(version: ProtocolVersion) -> WasmFeatures {
    match version.number() {
        1 => WasmFeatures::empty()
            .union(WasmFeatures::MUTABLE_GLOBAL)
            .union(WasmFeatures::FLOATS)
            .union(WasmFeatures::SIGN_EXTENSION)
            .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
            .union(WasmFeatures::MULTI_VALUE)
            .union(WasmFeatures::BULK_MEMORY)
            // Function references and several tables; `externref` needs garbage-collected types, which stay off.
            .union(WasmFeatures::REFERENCE_TYPES)
            .union(WasmFeatures::SIMD),
        other => unreachable!("version {other} has no allow-list"),
    }
}
