//! A container that is brought to a chain, as the actions of messages.

use noema_model::merkle;
use noema_vm::Action;

pub(crate) struct Upload {
    pub(crate) container: Vec<u8>,
    pub(crate) id: [u8; 32],
}

impl Upload {
    pub(crate) fn new(container: Vec<u8>) -> Upload {
        Upload { id: merkle::root(&container).0, container }
    }

    pub(crate) fn begin(&self) -> Action {
        let top = merkle::MerkleTree::new(&self.container).top();
        Action::BeginModel { total_len: u64::try_from(self.container.len()).unwrap(), top }
    }

    pub(crate) fn chunks(&self) -> u32 {
        u32::try_from(merkle::chunk_count(u64::try_from(self.container.len()).unwrap())).unwrap()
    }

    pub(crate) fn chunk(&self, index: u32) -> Action {
        let start = usize::try_from(index).unwrap() * merkle::CHUNK_BYTES;
        let end = (start + merkle::CHUNK_BYTES).min(self.container.len());
        Action::ModelChunk {
            id: self.id,
            index,
            bytes: self.container[start..end].to_vec(),
            proof: merkle::proof(&self.container, u64::from(index)).unwrap(),
        }
    }

    pub(crate) fn finish(&self) -> Action {
        Action::FinishModel { id: self.id }
    }

    pub(crate) fn all(&self) -> Vec<Action> {
        let chunks = (0..self.chunks()).map(|index| self.chunk(index));
        [self.begin()].into_iter().chain(chunks).chain([self.finish()]).collect()
    }

    pub(crate) fn withdraw(&self) -> Action {
        Action::WithdrawModel { id: self.id }
    }
}
