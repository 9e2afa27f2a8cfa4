fn main() {
    let wasm = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let mut config = wasmtime::Config::new();
    config.cranelift_opt_level(wasmtime::OptLevel::Speed).generate_address_map(false);
    let engine = wasmtime::Engine::new(&config).unwrap();
    let module = wasmtime::Module::new(&engine, &wasm).unwrap();
    std::fs::write(std::env::args().nth(2).unwrap(), module.serialize().unwrap()).unwrap();
}
