fn main() {
    let wasm = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let out = noema_vm::admit(noema_abi::ProtocolVersion::LATEST, &wasm).unwrap().instrumented;
    std::fs::write(std::env::args().nth(2).unwrap(), out).unwrap();
}
