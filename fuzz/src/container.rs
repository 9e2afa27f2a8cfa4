//! Containers of models.

use noema_model::{Model, container::decode};

/// A container that decodes is canonical: cutting or lengthening it makes another one or none. What
/// opens as a model has that container's id.
///
/// # Panics
/// Where that does not hold.
pub fn container(bytes: &[u8]) {
    let decodes = decode(bytes).is_ok();
    if let Ok(model) = Model::from_bytes(bytes.to_vec()) {
        assert!(decodes, "a model whose container does not decode");
        assert_eq!(model.id(), noema_model::merkle::root(bytes), "a model under another id");
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert!(decode(&longer).is_err(), "trailing bytes are accepted");
        // The price exists or is refused; it never wraps.
        for batch in [0, 1, 2, u32::MAX] {
            let _ = model.cost(noema_abi::ProtocolVersion::LATEST, batch);
            let _ = model.arena_bytes(batch);
        }
    }
}
