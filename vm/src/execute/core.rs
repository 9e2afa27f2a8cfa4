//! What a node has for running messages, whatever their state: engines, compiled code, kernels and models.
//!
//! Threads that instantiate from one pool of wasmtime wait for each other at every call, so there are several, each with the
//! messages that have its numbers ([`Shards`]). Code is compiled for the first, and loaded by the others as it would be from the disk.

use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_host::Extensions;
use noema_model::ModelStore;
use noema_tensor::Kernels;

use super::message::Halt;
use super::{VmConfig, state};
use crate::admission::admit_placed;
use crate::engine::{EngineKind, Key, Machinery, ModuleCache, Runnable};
use crate::identity;
use crate::journal::Journal;
use crate::rules::Rules;
use crate::{Address, Rejection, VmError, layout};

/// What one group of messages shares.
pub(crate) struct Core {
    pub(crate) machinery: Machinery,
    modules: ModuleCache<Runnable>,
    /// The one that compiles, if this one does not.
    compiling: Option<Arc<Core>>,
    pub(super) extensions: Extensions,
    pub(super) extensions_hash: [u8; 32],
    pub(crate) kernels: Arc<Kernels>,
    pub(crate) models: Arc<dyn ModelStore>,
}

/// All groups.
pub(super) struct Shards(Vec<Arc<Core>>);

impl Shards {
    /// Sets a node up.
    pub(super) fn new(config: VmConfig) -> Result<Shards, VmError> {
        let extensions = Extensions::new(config.extensions)?;
        let concurrent = config.concurrent_messages.max(1);
        let shards = config.shards.clamp(1, concurrent);
        let bytes = config.module_cache_bytes / u64::from(shards);
        let machine = &Rules::of(ProtocolVersion::LATEST).machine;
        let first = Core {
            machinery: Machinery::new(
                config.engine,
                machine,
                concurrent.div_ceil(shards),
                &extensions,
                config.artifacts.as_ref(),
                config.compiler_process.as_ref(),
            )?,
            modules: ModuleCache::new(bytes),
            compiling: None,
            extensions_hash: identity::extensions_hash(&extensions),
            extensions,
            kernels: config.kernels,
            models: config.models,
        };
        let mut all = vec![Arc::new(first)];
        for _ in 1..shards {
            let machinery =
                Machinery::new(config.engine, machine, concurrent.div_ceil(shards), &all[0].extensions, None, None)?;
            let core = all[0].with(machinery, bytes, Some(Arc::clone(&all[0])));
            all.push(Arc::new(core));
        }
        Ok(Shards(all))
    }

    /// The one for the message with this number.
    pub(super) fn of(&self, number: usize) -> &Arc<Core> {
        &self.0[number % self.0.len()]
    }

    pub(super) fn first(&self) -> &Arc<Core> {
        &self.0[0]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Core>> {
        self.0.iter()
    }
}

impl Core {
    fn with(&self, machinery: Machinery, cache_bytes: u64, compiling: Option<Arc<Core>>) -> Core {
        Core {
            machinery,
            modules: ModuleCache::new(cache_bytes),
            compiling,
            extensions: self.extensions.clone(),
            extensions_hash: self.extensions_hash,
            kernels: Arc::clone(&self.kernels),
            models: Arc::clone(&self.models),
        }
    }

    /// The same node without a compiler.
    pub(super) fn interpreting(&self) -> Result<Core, VmError> {
        // The interpreter has no pool, so any number of messages can run at a time.
        let machine = &Rules::of(ProtocolVersion::LATEST).machine;
        let machinery = Machinery::new(EngineKind::Wasmi, machine, 1, &self.extensions, None, None)?;
        Ok(self.with(machinery, self.modules.capacity(), None))
    }

    pub(super) fn key(&self, version: ProtocolVersion, code_hash: &[u8; 32]) -> Key {
        Key { version, extensions: self.extensions_hash, code_hash: *code_hash }
    }

    /// The compiled code of a contract that exists.
    pub(crate) fn load(
        &self,
        version: ProtocolVersion,
        code_hash: &[u8; 32],
        journal: &Journal,
    ) -> Result<Arc<Runnable>, VmError> {
        let damaged = |what: &str| VmError::CorruptState { what: format!("code {}: {what}", Address(*code_hash)) };
        let key = self.key(version, code_hash);
        self.modules.get_or_make(key, Runnable::bytes, || {
            if let Some(compiling) = &self.compiling {
                return self.machinery.adopt(compiling.load(version, code_hash, journal)?);
            }
            if let Some(runnable) = self.machinery.restore(&key) {
                return Ok(runnable);
            }
            // Code is found by its hash and never changes, so reading it is no dependency on the state, and not
            // reading it because of the cache makes no difference.
            let key_of_code = layout::code_key(code_hash);
            let code = match journal.written(&key_of_code) {
                // A contract that was deployed or migrated by this message, and is entered again.
                Some(written) => written.map(<[u8]>::to_vec),
                None => state::with(|view| view.get(&key_of_code))?,
            };
            let code = code.ok_or_else(|| damaged("it is missing"))?;
            let admitted = admit_placed(version, &self.extensions, &code, self.machinery.placement())
                .map_err(|error| damaged(&format!("this node does not admit it: {error}")))?;
            self.machinery.compile(&key, &admitted)
        })
    }

    /// Compiles code that is to be deployed, if the version admits it and `pay` can pay what compiling costs. That is
    /// asked for whether or not the code is in the cache.
    pub(crate) fn compile(
        &self,
        version: ProtocolVersion,
        code_hash: &[u8; 32],
        code: &[u8],
        pay: &mut dyn FnMut(u64) -> Result<(), Halt>,
    ) -> Result<Arc<Runnable>, Halt> {
        let mut paid = false;
        let key = self.key(version, code_hash);
        let module = self.modules.get_or_make(key, Runnable::bytes, || {
            if let Some(compiling) = &self.compiling {
                let module = compiling.compile(version, code_hash, code, &mut |gas| {
                    paid = true;
                    pay(gas)
                })?;
                return Ok(self.machinery.adopt(module)?);
            }
            // What is on disk was admitted by the same rules.
            if let Some(runnable) = self.machinery.restore(&key) {
                return Ok(runnable);
            }
            let admitted = admit_placed(version, &self.extensions, code, self.machinery.placement())
                .map_err(|error| Halt::Rejected(Rejection::Inadmissible, error.to_string()))?;
            pay(admitted.compile_gas)?;
            paid = true;
            Ok::<_, Halt>(self.machinery.compile(&key, &admitted)?)
        })?;
        if !paid {
            pay(module.compile_gas)?;
        }
        Ok(module)
    }

    /// Keeps compiled code from now on.
    pub(super) fn pin(&self, key: Key) {
        self.modules.pin(key);
    }

    /// Takes that back.
    pub(super) fn unpin(&self, key: &Key) {
        self.modules.unpin(key);
    }

    /// Throws all compiled code away.
    pub(super) fn clear(&self) {
        self.modules.clear();
    }
}
