//! What an operation will do, known before anything is charged or allocated.

use noema_abi::{DType, Status};

use crate::Shape;

/// The result type and shape of an operation, and its work in the unit of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Element type of the result.
    pub dtype: DType,
    /// Shape of the result.
    pub shape: Shape,
    /// The row's work, saturating.
    pub work: u64,
}

impl Plan {
    /// A plan whose result has a length that can be counted.
    ///
    /// # Errors
    /// `LimitExceeded` where the bytes of the result do not fit 64 bits.
    pub fn new(dtype: DType, shape: Shape, work: u64) -> Result<Plan, Status> {
        let plan = Plan { dtype, shape, work };
        plan.elements()?.checked_mul(plan.element_bytes()).ok_or(Status::LimitExceeded)?;
        Ok(plan)
    }

    /// Bytes of the result, saturating.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.elements().map_or(u64::MAX, |elements| elements.saturating_mul(self.element_bytes()))
    }

    fn elements(&self) -> Result<u64, Status> {
        self.shape.elements()
    }

    fn element_bytes(&self) -> u64 {
        u64::try_from(self.dtype.size()).unwrap_or(u64::MAX)
    }
}
